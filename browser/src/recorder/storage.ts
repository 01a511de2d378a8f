/** What the browser says of this origin's storage, asked now and then, and how long it lasts. */
import { ByteRate } from './byte-rate';
import { type Trouble, troubleOf } from './failure';
import { credibleUsage } from './storage-estimate';
import type { StorageReport, StorageRoom } from './types';

/** Space can become free without us: other origins' data, a deleted file. */
const REPORT_MS = 10_000;

/** Time to read a warning, to stop, and to make room: the first byte must not be at risk before anybody could have acted. */
const LOW_MS = 3 * 60_000;

/** Journals, what is being written, and how far estimates are off. */
const LOW_BYTES = 32 * 1024 * 1024;

/** How long the room lasts when `perSecond` bytes are recorded a second; null where nothing tells. */
export function roomOf({ usage, quota }: StorageReport, perSecond: number | null): StorageRoom {
  if (usage === null || quota === null) return { bytesLeft: null, msLeft: null, low: false };
  const bytesLeft = Math.max(0, quota - usage);
  const msLeft = perSecond === null ? null : (bytesLeft / perSecond) * 1000;
  return { bytesLeft, msLeft, low: bytesLeft < LOW_BYTES || (msLeft !== null && msLeft < LOW_MS) };
}

export class Storage {
  readonly #held: () => number | null;
  readonly #problem: (problem: Trouble) => void;
  readonly #recorded = new ByteRate();
  #report: StorageReport = { persisted: null, usage: null, quota: null };
  #askedAt = Number.NEGATIVE_INFINITY;
  #saidLow = false;
  #reserved = true;

  /** `held` answers the bytes that are known to be kept here, or null where they cannot be counted. */
  constructor(held: () => number | null, problem: (problem: Trouble) => void) {
    this.#held = held;
    this.#problem = problem;
  }

  get report(): StorageReport {
    return this.#report;
  }

  room(now: number): StorageRoom {
    const room = roomOf(this.#report, this.#recorded.perSecond(now));
    return this.#reserved ? room : { ...room, low: true };
  }

  /** Whether the space that is set aside is there; without it the disk is full. */
  setReserved(reserved: boolean): void {
    this.#reserved = reserved;
  }

  /** So many bytes of a recording were written. */
  recorded(now: number, bytes: number): void {
    this.#recorded.add(now, bytes);
  }

  /** True when the report is so old that it should be asked for again. */
  isOld(now: number): boolean {
    return now - this.#askedAt > REPORT_MS;
  }

  /** What the page was answered when it asked to keep the storage; null where the browser did not tell. */
  setPersisted(persisted: boolean | null): void {
    this.#report = { ...this.#report, persisted };
  }

  /** Says, while something is recorded, that room runs out: once, until there is room again. */
  warn(now: number): void {
    const { low } = this.room(now);
    const isNews = low && !this.#saidLow;
    this.#saidLow = low; // First: whoever hears of it looks at the room again.
    if (isNews) this.#problem(troubleOf('storage_low'));
  }

  /** What the browser still grants this origin, asked now, in bytes; null where it does not tell. */
  async bytesLeft(): Promise<number | null> {
    const { quota, usage } = await this.refresh();
    return quota === null || usage === null ? null : quota - usage;
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
      if (!(error instanceof TypeError || error instanceof DOMException)) this.#problem(troubleOf('unexpected', error));
    }
    return this.#report;
  }
}
