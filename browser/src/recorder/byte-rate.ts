/** A rate is that of the last seconds: long enough to be steady, short enough to mean now. */
const RATE_WINDOW_MS = 10_000;

export class ByteRate {
  #counted: { at: number; bytes: number }[] = [];

  add(at: number, bytes: number): void {
    this.#counted.push({ at, bytes });
    this.#forget(at);
  }

  /** Bytes a second over the last seconds, or null when there were none in them. */
  perSecond(now: number): number | null {
    this.#forget(now);
    if (this.#counted.length === 0) return null;
    return this.#counted.reduce((sum, { bytes }) => sum + bytes, 0) / (RATE_WINDOW_MS / 1000);
  }

  #forget(now: number): void {
    const since = now - RATE_WINDOW_MS;
    while (this.#counted[0] && this.#counted[0].at < since) this.#counted.shift();
  }
}
