/**
 * A limit of bytes a second for uploading. A PUT cannot be slowed down by a page, so what is paced is when the next one begins: each
 * goes out as fast as the line allows, and then the line rests until the limit is kept on average.
 */
export class Pace {
  #perSecond: number | null = null;
  #opensAt = 0;

  /** Bytes a second, or null: no limit. */
  get limit(): number | null {
    return this.#perSecond;
  }

  /** Changes the limit; what went out under the old one is made up for at the new one. */
  setLimit(now: number, perSecond: number | null): void {
    const owed = this.#perSecond === null ? 0 : (Math.max(0, this.#opensAt - now) / 1000) * this.#perSecond;
    this.#perSecond = perSecond;
    this.#opensAt = perSecond === null ? 0 : now + Math.ceil((owed / perSecond) * 1000);
  }

  /** Epoch ms from which the next PUT may begin. */
  get opensAt(): number {
    return this.#opensAt;
  }

  isOpen(now: number): boolean {
    return now >= this.#opensAt;
  }

  /** A PUT of so many bytes begins. */
  spend(now: number, bytes: number): void {
    if (this.#perSecond === null) return;
    this.#opensAt = Math.max(now, this.#opensAt) + Math.ceil((bytes / this.#perSecond) * 1000);
  }
}
