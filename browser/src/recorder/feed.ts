/** One file on its way from its source to sealed chunks: copied to OPFS where there is room, else only hashed. */
import { sha256Hex } from './digest';
import { asTrouble, isStorageFull, type Trouble } from './failure';
import { chunkCountOf, type FeedView, nextStep, placeOf } from './file-plan';
import { type FileSource, isOfSource, refusesChangedFiles } from './file-source';
import { type End, endOf, type Seal } from './journal';
import type { SpoolWriter } from './writer';

/** A copy is written in pieces of this size: a worker that records as well is free again after each. */
const PIECE_BYTES = 2 * 1024 * 1024;

/** What a feed waits for is told to it; this is for what nobody tells, such as disk space freed by others. */
const LOOK_AGAIN_MS = 1_000;

/** After the disk took no copy, none is tried for this long: chunks are read from the file meanwhile. */
const FULL_MS = 30_000;

export interface FeedHost {
  /** How things stand for this file, but for the size of its next chunk. */
  view(id: string): Promise<Omit<FeedView, 'size'>>;
  sealed(id: string, seal: Seal): void;
  /** Noting chunks fails and is tried again; null when it works again. */
  trouble(id: string, problem: Trouble | null): void;
  /** Runs the work when no other file is being read: one chunk is in memory at a time. */
  inTurn<T>(work: () => Promise<T>): Promise<T>;
}

export class Feed {
  readonly id: string;
  readonly #writer: SpoolWriter;
  readonly #source: FileSource;
  readonly #host: FeedHost;
  readonly #now: () => number;
  #stopped = false;
  #fullUntil = 0;
  #troubled = false;
  #running: Promise<unknown> = Promise.resolve();
  #wake: () => void = () => undefined;

  /** The caller holds the recording's lock until `run` has settled. */
  constructor(writer: SpoolWriter, source: FileSource, host: FeedHost, now: () => number = Date.now) {
    this.id = writer.facts.id;
    this.#writer = writer;
    this.#source = source;
    this.#host = host;
    this.#now = now;
  }

  get facts() {
    return this.#writer.facts;
  }

  get seals(): readonly Seal[] {
    return this.#writer.state.seals;
  }

  /**
   * Seals chunk after chunk until the file is at its end, which it notes, or it was abandoned (null).
   * @throws Failure `source_changed`, `source_unreadable`; what is sealed stays.
   */
  run(): Promise<End | null> {
    const done = this.#feed().finally(() => this.#writer.close());
    this.#running = done.catch(() => undefined); // Whoever called hears of it.
    return done;
  }

  /** Something changed that it may wait for. */
  wake(): void {
    this.#wake();
  }

  /** Ends it where it is; resolves once no handle is held. */
  async abandon(): Promise<void> {
    this.#stopped = true;
    this.wake();
    await this.#running;
  }

  async #feed(): Promise<End | null> {
    const count = chunkCountOf(this.#source.facts);
    while (!this.#stopped) {
      const seq = this.#writer.state.nextSeq;
      if (await this.#insist(() => (seq < count ? this.#next(seq) : this.#end()))) {
        if (seq >= count) return endOf(this.seals);
      } else await this.#rest();
    }
    return null;
  }

  /** Answers false when nothing can be done now. */
  async #next(seq: number): Promise<boolean> {
    const { start, end } = placeOf(this.#source.facts, seq);
    const view = await this.#host.view(this.id);
    const roomBytes = this.#now() < this.#fullUntil ? null : view.roomBytes;
    const step = nextStep({ ...view, roomBytes, size: end - start });
    if (step === 'wait' || this.#stopped) return false;
    const seal = await this.#host.inTurn(() => (step === 'hold' ? this.#copy(seq) : this.#hash(seq)));
    if (seal) this.#host.sealed(this.id, seal);
    return seal !== null;
  }

  async #copy(seq: number): Promise<Seal | null> {
    await this.#writer.dropOpen();
    const { start, end } = placeOf(this.#source.facts, seq);
    try {
      for (let at = 0; at < end - start; at += PIECE_BYTES) {
        if (this.#stopped) return null;
        await this.#writer.write(await this.#source.read(seq, at, at + PIECE_BYTES), 0, 0);
      }
      return await this.#writer.seal();
    } catch (error) {
      if (!isStorageFull(error)) throw error;
      this.#fullUntil = this.#now() + FULL_MS;
      await this.#writer.dropOpen();
      return this.#hash(seq);
    }
  }

  async #hash(seq: number): Promise<Seal> {
    const bytes = await this.#source.read(seq);
    return this.#writer.sealUncopied(bytes.length, await sha256Hex(bytes));
  }

  /** Where the browser lets a changed file be read, a second look makes sure that all chunks are of one state of it. */
  async #end(): Promise<boolean> {
    if (this.#writer.state.end) return true;
    if (!refusesChangedFiles()) await this.#source.verify(this.seals);
    this.#writer.end(endOf(this.seals));
    return true;
  }

  /** Does `work`; a disk that takes no note is waited for. */
  async #insist(work: () => Promise<boolean>): Promise<boolean> {
    try {
      const done = await work();
      if (this.#troubled) this.#host.trouble(this.id, null);
      this.#troubled = false;
      return done;
    } catch (error) {
      const problem = asTrouble(error, isStorageFull(error) ? 'file_storage_full' : 'unexpected');
      if (isOfSource(problem.code)) throw error;
      if (!this.#troubled) this.#host.trouble(this.id, problem);
      this.#troubled = true;
      return false;
    }
  }

  #rest(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#stopped) return resolve();
      const timer = setTimeout(resolve, LOOK_AGAIN_MS);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
