/** How many PUTs are under way at once: as many as make the line carry more, and half of that when it fails. */

/** Browsers open six connections to a host that speaks HTTP/1.1: a seventh PUT would only wait in the browser's queue. */
export const MOST_LANES = 6;

/** Two hide one another's latency and still leave most of a line to the page. */
const FIRST_LANES = 2;

/** One more lane stays if the line carries this much more with it: less is within what any line varies. */
const WORTH = 1.1;

/** A measurement needs this many PUTs for each lane, or those that straddle its ends count for too much … */
const PUTS_PER_LANE = 2;

/** … and this long, so that buffers between here and the bucket do not pass for speed. */
const SHORTEST_MEASUREMENT_MS = 1_000;

/** Measurements to wait before another lane is tried after one that brought nothing, or after a failure. */
const PATIENCE = 8;

export class Lanes {
  readonly #most: number;
  #open: number;
  /** Bytes a second with one lane fewer, while one more is being tried. */
  #before: number | null = null;
  #patience = 0;
  #halvedAt = Number.NEGATIVE_INFINITY;
  #measuring: { since: number; bytes: number; puts: number } | null = null;

  /** Never more than `most`, and never more than `MOST_LANES`. */
  constructor(most: number = MOST_LANES) {
    this.#most = Math.max(1, Math.min(most, MOST_LANES));
    this.#open = Math.min(FIRST_LANES, this.#most);
  }

  /** How many PUTs may be under way now. */
  get open(): number {
    return this.#open;
  }

  /** All that could begin has begun: only while every lane is in use does the line show what it carries. */
  observe(now: number, underWay: number): void {
    if (underWay < this.#open) this.#measuring = null;
    else this.#measuring ??= { since: now, bytes: 0, puts: 0 };
  }

  /** A PUT of so many bytes went well. */
  carried(now: number, bytes: number): void {
    const measuring = this.#measuring;
    if (!measuring) return;
    measuring.bytes += bytes;
    measuring.puts += 1;
    const ms = now - measuring.since;
    if (measuring.puts < PUTS_PER_LANE * this.#open || ms < SHORTEST_MEASUREMENT_MS) return;
    this.#measuring = null;
    this.#conclude((measuring.bytes * 1000) / ms);
  }

  /** A PUT that began at `beganAt` was refused as too much, or had no answer. What fails together counts once. */
  failed(now: number, beganAt: number): void {
    this.#measuring = null;
    if (beganAt < this.#halvedAt) return;
    this.#halvedAt = now;
    this.#open = Math.max(1, this.#open >> 1);
    this.#before = null;
    this.#patience = PATIENCE;
  }

  #conclude(rate: number): void {
    if (this.#before !== null && rate < this.#before * WORTH) {
      this.#open -= 1;
      this.#before = null;
      this.#patience = PATIENCE;
      return;
    }
    if (this.#before === null && this.#patience > 0) {
      this.#patience -= 1;
      return;
    }
    if (this.#open === this.#most) {
      this.#before = null;
      return;
    }
    this.#before = rate;
    this.#open += 1;
  }
}
