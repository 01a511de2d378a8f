/** The kept copies of one owner, as the worker that uploads knows them: noted at release, freed in turn, taken back for a ticket. */
import { asTrouble, type Trouble } from './failure';
import { type KeptChunk, toFree } from './keeping';
import type { KeptSeal } from './kept-files';
import { holdLock, lockNames, underLock } from './locks';
import { type Ranges, toRanges } from './ranges';
import type { Spool } from './spool';
import type { KeptCopies } from './types';

export interface KeptHost {
  /** How many bytes may be kept now, when so many are. */
  keepBytes(keptBytes: number): number;
  problem(problem: Trouble): void;
  /** How much is kept changed. */
  changed(): void;
}

export class Kept {
  readonly #spool: Spool;
  readonly #host: KeptHost;
  readonly #byId = new Map<string, Map<number, KeptSeal>>();
  #bytes = 0;
  #chunks = 0;
  #fails = false;

  constructor(spool: Spool, host: KeptHost) {
    this.#spool = spool;
    this.#host = host;
  }

  get totals(): KeptCopies {
    return { chunks: this.#chunks, bytes: this.#bytes };
  }

  /** Recordings of which anything is kept, with what: for the heartbeat. */
  *holding(): Iterable<[id: string, ranges: Ranges]> {
    for (const [id, chunks] of this.#byId) yield [id, toRanges(chunks.keys())];
  }

  has(id: string): boolean {
    return this.#byId.has(id);
  }

  /** Whether copies are kept at all at present. */
  get wanted(): boolean {
    return this.#host.keepBytes(this.#bytes) > 0;
  }

  /** These were released, and their files are still there. */
  add(id: string, kept: readonly KeptSeal[]): void {
    if (kept.length === 0) return;
    const chunks = this.#byId.get(id) ?? new Map<number, KeptSeal>();
    this.#byId.set(id, chunks);
    for (const { seal, at } of kept) {
      if (!chunks.has(seal.seq)) {
        this.#bytes += seal.size;
        this.#chunks += 1;
      }
      chunks.set(seal.seq, { seal, at });
    }
    this.#host.changed();
  }

  /** What an earlier visit kept of a recording. One that cannot be read says so elsewhere, and keeps nothing here. */
  async find(id: string): Promise<void> {
    const found = await this.#spool.load(id).catch(() => null);
    if (found && !found.releases.discarded) this.add(id, found.kept);
  }

  /** They are gone, whoever removed them. */
  forget(id?: string): void {
    for (const [each, chunks] of [...this.#byId]) {
      if (id === undefined || each === id) for (const { seal } of [...chunks.values()]) this.#drop(each, seal.seq);
    }
  }

  #drop(id: string, seq: number): void {
    const chunks = this.#byId.get(id);
    const known = chunks?.get(seq);
    if (!chunks || !known) return;
    chunks.delete(seq);
    if (chunks.size === 0) this.#byId.delete(id);
    this.#bytes -= known.seal.size;
    this.#chunks -= 1;
    this.#host.changed();
  }

  /** The bucket lost this chunk: it is held again. Null when no such copy is here. */
  async takeBack(id: string, seq: number, sha256: string): Promise<KeptSeal | null> {
    const known = this.#byId.get(id)?.get(seq);
    if (known?.seal.sha256 !== sha256) return null;
    try {
      const isHere = await underLock(lockNames.kept, () => this.#spool.takeBack(id, known.seal));
      return isHere ? known : null;
    } catch (error) {
      this.#host.problem(asTrouble(error, 'write_failed'));
      return known; // It is sent all the same: without the note it counts as kept at the next visit, and is asked for again.
    } finally {
      this.#drop(id, seq);
    }
  }

  /** Frees what is beyond the limit, the oldest first; what is left of recordings that are over goes with the last of it. */
  async trim(): Promise<void> {
    const due = toFree(this.#all(), this.#host.keepBytes(this.#bytes));
    for (const id of new Set(due.map((chunk) => chunk.id))) {
      try {
        await this.#free(
          id,
          due.filter((chunk) => chunk.id === id),
        );
        this.#fails = false;
      } catch (error) {
        // It is tried again with the next release or heartbeat; saying so once is enough.
        if (!this.#fails) this.#host.problem(asTrouble(error, 'releases_failed'));
        this.#fails = true;
      }
    }
  }

  async #free(id: string, due: readonly KeptChunk[]): Promise<void> {
    const seals = due.map(({ seal }) => seal);
    await underLock(lockNames.kept, () => this.#spool.free(id, seals));
    for (const { seq } of seals) this.#drop(id, seq);
    if (!this.has(id)) await this.tidy(id);
  }

  /** Removes what is left of a recording that is over, unless somebody works on it. */
  async tidy(id: string): Promise<void> {
    const lock = await holdLock(lockNames.recording(this.#spool.owner, id), { ifAvailable: true });
    if (!lock) return;
    try {
      await this.#spool.removeIfDone(id);
    } finally {
      lock.release();
    }
  }

  *#all(): Iterable<KeptChunk> {
    for (const [id, chunks] of this.#byId) for (const kept of chunks.values()) yield { id, ...kept };
  }
}
