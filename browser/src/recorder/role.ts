/** Which tab uploads: one of an owner's tabs holds the uploader lock, the others wait for it. */
import { type HeldLock, holdLock, lockNames } from './locks';
import { steadyNow } from './steady-clock';

/** A frozen tab keeps its lock. Twice what a hidden page may be made to wait for its timers: so long is no sign of death. */
export const DEFAULT_TAKE_OVER_MS = 120_000;

/** How often the uploader says that it lives: often enough that one that is missed does not count … */
const SIGNS_OF_LIFE = 6;

/** … and at least this often, so that other tabs show what is. */
const ALIVE_MS = 20_000;

/** How long a start waits for the uploading tab to say what it has: it is only for display. */
const NEIGHBOUR_MS = 1_500;

export interface RoleEvents {
  /** This tab uploads from now on, until `signal` aborts. */
  taken(signal: AbortSignal): Promise<void>;
  lost(): void;
  /** Time to tell the other tabs that this one lives. */
  alive(): void;
  /** Time to ask the uploading tab whether it lives. */
  ask(): void;
  failed(error: unknown): void;
}

export class UploaderRole {
  readonly #name: string;
  readonly #events: RoleEvents;
  readonly #stop: AbortSignal;
  readonly #silentMs: number;
  readonly #aliveMs: number;
  #heardAt = 0;
  #asked = false;
  #onHeard: () => void = () => undefined;

  /** A tab that said nothing for `silentMs`, though asked, is taken to be frozen. */
  constructor(owner: string, events: RoleEvents, stop: AbortSignal, silentMs: number = DEFAULT_TAKE_OVER_MS) {
    this.#name = lockNames.uploader(owner);
    this.#events = events;
    this.#stop = stop;
    this.#silentMs = silentMs;
    this.#aliveMs = Math.min(ALIVE_MS, silentMs / SIGNS_OF_LIFE);
  }

  /** The uploading tab said something. */
  heard(): void {
    this.#heardAt = steadyNow();
    this.#onHeard();
  }

  /** Takes the role if it is free. Otherwise waits for it for ever, and answers once the uploading tab was heard. */
  async seek(): Promise<void> {
    const lock = await holdLock(this.#name, { ifAvailable: true });
    if (lock) return this.#take(lock);
    const heard = new Promise<void>((resolve) => {
      this.#onHeard = resolve;
    });
    this.#events.ask();
    const patience = new Promise<void>((resolve) => setTimeout(resolve, NEIGHBOUR_MS));
    await Promise.race([heard, this.#wait(), patience]);
  }

  async #wait(): Promise<void> {
    this.#heardAt = steadyNow();
    const waiting = new AbortController();
    const signal = AbortSignal.any([waiting.signal, this.#stop]);
    const watch = setInterval(() => this.#watch(waiting), this.#aliveMs);
    try {
      const lock = await holdLock(this.#name, { signal });
      if (lock) await this.#take(lock);
    } catch (error) {
      if (!signal.aborted) this.#events.failed(error);
    } finally {
      clearInterval(watch);
    }
    if (waiting.signal.aborted) await this.#steal();
  }

  /** Asks a silent uploader before it is given up: after a sleeping laptop wakes, everybody was silent. */
  #watch(waiting: AbortController): void {
    const silentMs = steadyNow() - this.#heardAt;
    if (silentMs > this.#silentMs + this.#aliveMs && this.#asked) waiting.abort();
    else if (silentMs > this.#silentMs) {
      this.#asked = true;
      this.#events.ask();
    } else this.#asked = false;
  }

  /** Two uploaders at once do no harm, since every step is idempotent; the frozen one stops when it thaws. */
  async #steal(): Promise<void> {
    try {
      const lock = await holdLock(this.#name, { steal: true });
      if (lock) await this.#take(lock);
    } catch (error) {
      this.#events.failed(error);
    }
  }

  async #take(lock: HeldLock): Promise<void> {
    const role = new AbortController();
    const alive = setInterval(() => this.#events.alive(), this.#aliveMs);
    void lock.over.then(() => {
      clearInterval(alive);
      role.abort();
      if (this.#stop.aborted) return;
      this.#events.lost();
      void this.#wait();
    });
    await this.#events.taken(AbortSignal.any([role.signal, this.#stop]));
  }
}
