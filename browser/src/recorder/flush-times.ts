/** As many as an hour of slices is not needed to know the median: the last minutes are enough. */
const KEPT = 1_000;

/** How long write and flush took: the median of the last 1,000 and the worst of all, in ms. */
export class FlushTimes {
  readonly #times: number[] = [];
  #count = 0;
  #worstMs = 0;

  add(ms: number): void {
    this.#times[this.#count % KEPT] = ms;
    this.#count += 1;
    this.#worstMs = Math.max(this.#worstMs, ms);
  }

  summary(): { count: number; p50Ms: number; worstMs: number } {
    const sorted = [...this.#times].sort((a, b) => a - b);
    return { count: this.#count, p50Ms: sorted[sorted.length >> 1] ?? 0, worstMs: this.#worstMs };
  }
}
