/** The first wait is at most this long: a blink, so that a single lost packet costs nothing noticeable. */
export const BACKOFF_BASE_MS = 500;

/** No wait is longer: when a network comes back, nobody should stare at an idle page for minutes. */
export const BACKOFF_CAP_MS = 30_000;

/**
 * How long to wait after the `failures`-th failure in a row: capped exponential with full jitter, so that thousands of
 * recorders that lost the same server do not come back in step.
 */
export function backoffMs(failures: number, random: () => number = Math.random): number {
  const ceiling = Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** Math.min(failures - 1, 16));
  return random() * ceiling;
}

/**
 * Lets attempts through until one fails, then closes for the backoff (or the server's `Retry-After`).
 *
 * Several attempts under way at once that fail together count as one failure: what they tell is one thing.
 */
export class Gate {
  #failures = 0;
  #opensAt = 0;
  readonly #random: () => number;

  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  get failing(): boolean {
    return this.#failures > 0;
  }

  /** Epoch ms from which the next attempt is allowed; 0 when nothing failed. */
  get opensAt(): number {
    return this.#opensAt;
  }

  isOpen(now: number): boolean {
    return now >= this.#opensAt;
  }

  fail(now: number, retryAfterMs = 0): void {
    if (this.isOpen(now)) this.#failures += 1;
    const wait = retryAfterMs > 0 ? retryAfterMs : backoffMs(Math.max(1, this.#failures), this.#random);
    this.#opensAt = Math.max(this.#opensAt, now + wait);
  }

  succeed(): void {
    this.#failures = 0;
    this.#opensAt = 0;
  }

  /** Forgets the wait: the network came back, or a person asked to try now. */
  reset(): void {
    this.succeed();
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
