/**
 * Recorded time: what passed since a recording began, pauses left out. Time in which no device delivered anything counts, so that
 * the next segment begins after a gap as long as that was. By a clock that is never set: a change of the device's time moves nothing.
 */
export class RecordedTime {
  readonly #now: () => number;
  #elapsedMs = 0;
  #since: number | null = null;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  get ms(): number {
    return this.#elapsedMs + (this.#since === null ? 0 : Math.max(0, this.#now() - this.#since));
  }

  get isRunning(): boolean {
    return this.#since !== null;
  }

  /** Runs from `ms` on. */
  begin(ms: number): void {
    this.#elapsedMs = ms;
    this.#since = this.#now();
  }

  pause(): void {
    this.#elapsedMs = this.ms;
    this.#since = null;
  }

  resume(): void {
    this.#since ??= this.#now();
  }
}
