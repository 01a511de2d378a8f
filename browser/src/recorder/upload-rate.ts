/** The upload rate is that of the last seconds: long enough to be steady, short enough to mean now. */
const RATE_WINDOW_MS = 10_000;

export class UploadRate {
  #sent: { at: number; bytes: number }[] = [];

  sent(at: number, bytes: number): void {
    this.#sent.push({ at, bytes });
  }

  /** Bytes a second over the last seconds, or null when nothing was sent in them. */
  perSecond(now: number): number | null {
    const since = now - RATE_WINDOW_MS;
    this.#sent = this.#sent.filter(({ at }) => at >= since);
    if (this.#sent.length === 0) return null;
    return this.#sent.reduce((sum, { bytes }) => sum + bytes, 0) / (RATE_WINDOW_MS / 1000);
  }
}
