/** What the browser says of this origin's storage, asked now and then. */
import { problemOf } from './errors';
import { credibleUsage } from './storage-estimate';
import type { Problem, StorageReport } from './types';

/** Space can become free without us: other origins' data, a deleted file. */
const REPORT_MS = 10_000;

export class Storage {
  readonly #held: () => number | null;
  readonly #problem: (problem: Problem) => void;
  #report: StorageReport = { persisted: null, usage: null, quota: null };
  #askedAt = Number.NEGATIVE_INFINITY;

  /** `held` answers the bytes that are known to be kept here, or null where they cannot be counted. */
  constructor(held: () => number | null, problem: (problem: Problem) => void) {
    this.#held = held;
    this.#problem = problem;
  }

  get report(): StorageReport {
    return this.#report;
  }

  /** True when the report is so old that it should be asked for again. */
  isOld(now: number): boolean {
    return now - this.#askedAt > REPORT_MS;
  }

  /** What the page was answered when it asked to keep the storage; null where the browser did not tell. */
  setPersisted(persisted: boolean | null): void {
    this.#report = { ...this.#report, persisted };
  }

  async refresh(): Promise<StorageReport> {
    this.#askedAt = Date.now();
    try {
      const [persisted, estimate] = await Promise.all([navigator.storage.persisted(), navigator.storage.estimate()]);
      this.#report = {
        persisted: persisted || this.#report.persisted,
        usage: credibleUsage(estimate, this.#held()),
        quota: estimate.quota ?? null,
      };
    } catch (error) {
      // Some browsers tell workers nothing: null says so in the report, and no decision rests on it.
      this.#report = { ...this.#report, usage: null, quota: null };
      if (!(error instanceof TypeError || error instanceof DOMException)) this.#problem(problemOf('unexpected', error));
    }
    return this.#report;
  }
}
