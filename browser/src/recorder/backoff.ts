/** The first wait is at most this long: a blink, so that a single lost packet costs nothing noticeable. */
export const BACKOFF_BASE_MS = 500;

/** No wait is longer: when a network comes back, nobody should stare at an idle page for minutes. */
export const BACKOFF_CAP_MS = 30_000;

/**
 * How long to wait after the `failures`-th failure in a row: capped exponential with full jitter, so that thousands of
 * recorders that lost the same server do not come back in step. Whole milliseconds: a timer cuts off what is below, and
 * would go off before its gate opens.
 */
export function backoffMs(failures: number, random: () => number = Math.random): number {
  const ceiling = Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** Math.min(failures - 1, 16));
  return Math.ceil(random() * ceiling);
}

/** On top of what a server asks for, so that all who were told the same time do not come back in step. */
const RETRY_AFTER_SPREAD = 0.2;

/** The spread adds no more than this: a long wait needs no longer spread than a busy server's recovery. */
const RETRY_AFTER_SPREAD_CAP_MS = 10_000;

/**
 * Lets attempts through until one fails, then closes for the backoff, or for as long as the server asked (`Retry-After`).
 *
 * Several attempts under way at once that fail together count as one failure: what they tell is one thing. What the
 * server asked for outlasts a success of another call and a person's wish to try now.
 */
export class Gate {
  #failures = 0;
  #opensAt = 0;
  #askedUntil = 0;
  readonly #random: () => number;

  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  get failing(): boolean {
    return this.#failures > 0 || this.#askedUntil > 0;
  }

  /** Epoch ms from which the next attempt is allowed; 0 when nothing failed. */
  get opensAt(): number {
    return Math.max(this.#opensAt, this.#askedUntil);
  }

  isOpen(now: number): boolean {
    return now >= this.opensAt;
  }

  fail(now: number, retryAfterMs = 0): void {
    if (this.isOpen(now)) this.#failures += 1;
    if (retryAfterMs > 0) {
      const spread = Math.min(retryAfterMs * RETRY_AFTER_SPREAD, RETRY_AFTER_SPREAD_CAP_MS);
      this.#askedUntil = Math.max(this.#askedUntil, now + retryAfterMs + Math.ceil(this.#random() * spread));
    } else {
      const wait = backoffMs(Math.max(1, this.#failures), this.#random);
      this.#opensAt = Math.max(this.#opensAt, now + wait);
    }
  }

  succeed(now: number): void {
    this.#failures = 0;
    this.#opensAt = 0;
    if (now >= this.#askedUntil) this.#askedUntil = 0;
  }

  /** Forgets its own wait, not the server's: the network came back, or a person asked to try now. */
  reset(now: number): void {
    this.succeed(now);
  }
}

/** Resolves after `ms`, or at once when the signal aborts: callers look at the signal themselves. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done);
  });
}
