import { asProblem } from '../../recorder/errors';
import type { Problem, Safereel } from '../../recorder/types';
import { Store } from '../store';
import type { WishMemory } from './wish-memory';

/** How long a deletion can be taken back: long enough to read one line and press one button. */
export const UNDO_MS = 8_000;

/** How long it is said that a deletion went through. */
const SAID_MS = 5_000;

/** Another tab of this owner acts upon its own wishes; what it has not done by then, it will not do. */
const GRACE_MS = 5_000;

/**
 * `undoable` nothing was said to the server yet; `sending` the server is being asked; `agreed` it will be gone, for ever;
 * `failed` it was not deleted, `problem` says why.
 */
export type WishPhase = 'undoable' | 'sending' | 'agreed' | 'failed';

/** A deletion that somebody confirmed. */
export interface Wish {
  id: string;
  title: string;
  phase: WishPhase;
  /** Epoch ms at which it is sent. */
  dueAt: number;
  problem: Problem | null;
}

/**
 * Deletions on their way, with time to take each back. A wish is remembered before anything else happens and forgotten once
 * the server has agreed or it was said that it did not: leaving the page ends the time for taking it back (`leaving` sends
 * what waits), and what did not arrive then is sent at the next visit.
 */
export class Deletions {
  readonly state: Store<readonly Wish[]>;
  readonly #safereel: Safereel;
  readonly #memory: WishMemory;
  /** Sends a deletion that outlives the page; nobody hears what comes of it. */
  readonly #lastWord: (id: string) => void;
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();

  constructor(safereel: Safereel, memory: WishMemory, lastWord: (id: string) => void, initial: readonly Wish[] = []) {
    this.#safereel = safereel;
    this.#memory = memory;
    this.#lastWord = lastWord;
    this.state = new Store(initial);
  }

  /** Takes up what an earlier visit, or a tab that is gone, did not get to send. Call it once somebody is known. */
  async resume(): Promise<void> {
    try {
      await this.#safereel.ready();
    } catch {
      return; // Nobody is known, so no wish is this one's; the recorder says why.
    }
    for (const { id, title, dueAt } of this.#memory.of(this.#owner)) {
      if (this.#wish(id)) continue;
      const wait = Math.max(0, dueAt + GRACE_MS - Date.now());
      this.#after(id, wait, () => {
        const stillWanted = this.#memory.of(this.#owner).some((wish) => wish.id === id);
        if (!stillWanted) return;
        this.#put({ id, title, phase: 'sending', dueAt, problem: null });
        void this.#send(id);
      });
    }
  }

  /** Somebody confirmed the deletion: from now on it can be taken back for a few seconds. */
  ask(id: string, title: string): void {
    const before = this.#wish(id);
    if (before && before.phase !== 'failed') return;
    const dueAt = Date.now() + UNDO_MS;
    this.#memory.add(this.#owner, { id, title, dueAt });
    this.#put({ id, title, phase: 'undoable', dueAt, problem: null });
    this.#after(id, UNDO_MS, () => void this.#send(id));
  }

  /** Takes it back; without effect once it is being sent. */
  undo(id: string): void {
    if (this.#wish(id)?.phase !== 'undoable') return;
    this.#memory.remove(this.#owner, id);
    this.#drop(id);
  }

  /** Asks the server again after it failed. */
  again(id: string): void {
    const wish = this.#wish(id);
    if (wish?.phase !== 'failed') return;
    this.#memory.add(this.#owner, wish);
    void this.#send(id);
  }

  /** The person has read that it failed, and keeps the recording. */
  keep(id: string): void {
    if (this.#wish(id)?.phase === 'failed') this.#drop(id);
  }

  /** The page is being left: what waits is sent now. A page that comes back from the browser's memory goes on with it. */
  leaving(): void {
    for (const { id, phase } of this.state.get()) {
      if (phase !== 'undoable') continue;
      this.#lastWord(id);
      void this.#send(id);
    }
  }

  get #owner(): string {
    return this.#safereel.snapshot().owner;
  }

  #wish(id: string): Wish | undefined {
    return this.state.get().find((wish) => wish.id === id);
  }

  async #send(id: string): Promise<void> {
    this.#cancel(id);
    this.#change(id, { phase: 'sending', problem: null });
    try {
      await this.#deleteEverywhere(id);
      this.#change(id, { phase: 'agreed' });
      this.#after(id, SAID_MS, () => this.#drop(id));
    } catch (error) {
      this.#change(id, { phase: 'failed', problem: asProblem(error, 'delete_failed') });
    }
    this.#memory.remove(this.#owner, id);
  }

  /** What the server does not know exists on this device alone, and goes from there: the person wished all of it gone. */
  async #deleteEverywhere(id: string): Promise<void> {
    try {
      await this.#safereel.delete(id);
    } catch (error) {
      if (asProblem(error, 'delete_failed').code !== 'recording_unknown') throw error;
      await this.#safereel.discardLocal(id);
    }
  }

  #put(wish: Wish): void {
    this.state.set([...this.state.get().filter(({ id }) => id !== wish.id), wish]);
  }

  #change(id: string, part: Partial<Wish>): void {
    this.state.set(this.state.get().map((wish) => (wish.id === id ? { ...wish, ...part } : wish)));
  }

  #drop(id: string): void {
    this.#cancel(id);
    this.state.set(this.state.get().filter((wish) => wish.id !== id));
  }

  #after(id: string, ms: number, work: () => void): void {
    this.#cancel(id);
    this.#timers.set(id, setTimeout(work, ms));
  }

  #cancel(id: string): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
  }
}
