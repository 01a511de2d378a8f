/** One recording being written by this worker: slices in order, sealing by size and time, and patience with a full disk. */
import { Gate, pause } from './backoff';
import { isStorageFull, type Trouble, troubleOf } from './failure';
import { type End, endOf, type OpenChunk, type Seal } from './journal';
import type { Unsealed, UnsealedPart } from './saving';
import { bytesThatFit, dueInMs, isFull, type SealingLimits } from './sealing';
import type { SpoolWriter } from './writer';

export interface LiveEvents {
  /** Bytes of a slice were appended and flushed; `size` is that of the open chunk now. */
  flushed(chunk: OpenChunk & { size: number; endMs: number }, bytes: number, flushMs: number): void;
  sealed(seal: Seal): void;
  /** The disk is full: frees what can be freed, and answers whether that may have made room. */
  makeRoom(): Promise<boolean>;
  /** Writing fails and is being tried again; null when it works again. */
  trouble(problem: Trouble | null): void;
}

export class LiveRecording {
  readonly id: string;
  readonly #writer: SpoolWriter;
  readonly #limits: SealingLimits;
  readonly #events: LiveEvents;
  readonly #gate = new Gate();
  #queue: Promise<void> = Promise.resolve();
  /** Slices, or what is left of them, that the disk did not take yet: in order, with the run that each came from. */
  readonly #waiting = new Set<{ rest: Blob | Uint8Array<ArrayBuffer>; run: number }>();
  /** Runs of MediaRecorder: the one that slices come from, and the one that is being written. */
  #arriving = 0;
  #written = 0;
  /** Anything of the present segment is on disk. One without a byte needs no number: the next run takes it. */
  #begun = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wake = new AbortController();
  #troubled = false;
  #abandoned = false;
  #ended: Promise<End> | null = null;

  constructor(writer: SpoolWriter, limits: SealingLimits, events: LiveEvents) {
    this.id = writer.facts.id;
    this.#writer = writer;
    this.#limits = { ...limits };
    this.#events = events;
  }

  get seals(): readonly Seal[] {
    return this.#writer.state.seals;
  }

  get facts() {
    return this.#writer.facts;
  }

  setMaxChunkBytes(bytes: number): void {
    if (bytes > 0) this.#limits.maxChunkBytes = bytes;
  }

  /** Takes a slice; it waits in memory until the disk takes it. Empty ones are dropped without using up a number. */
  slice(blob: Blob, startMs: number, endMs: number): void {
    if (blob.size === 0 || this.#ended) return;
    const slice: { rest: Blob | Uint8Array<ArrayBuffer>; run: number } = { rest: blob, run: this.#arriving };
    this.#waiting.add(slice);
    void this.#enqueue(async () => {
      const bytes = new Uint8Array(await blob.arrayBuffer());
      await this.#append(bytes, startMs, endMs, (written) => {
        slice.rest = bytes.subarray(written);
      });
      this.#waiting.delete(slice);
    });
  }

  /** The slices that follow are of another run of MediaRecorder: what came before is sealed, and they are the next segment. */
  segment(startMs: number): void {
    if (this.#ended) return;
    this.#arriving += 1;
    const run = this.#arriving;
    void this.#enqueue(async () => {
      if (this.#begun) {
        await this.#insist(() => this.#seal());
        await this.#insist(async () => void this.#writer.startSegment(startMs));
        this.#begun = false;
      }
      this.#written = run;
    });
  }

  /** What is not in a sealed chunk, as of now: nothing is waited for, so that no byte is in it twice or not at all. */
  unsealed(): Unsealed {
    const open = this.#writer.readOpen();
    const parts: UnsealedPart[] = open ? [{ segment: this.#writer.segment, bytes: open }] : [];
    let { segment } = this.#writer;
    let run = this.#written;
    let begun = this.#begun;
    for (const slice of this.#waiting) {
      if (slice.run !== run && begun) segment += 1;
      run = slice.run;
      begun = true;
      parts.push({ segment, bytes: slice.rest });
    }
    return { seals: [...this.seals], parts };
  }

  /** Seals what is open and ends the recording; resolves once both are flushed. */
  end(): Promise<End> {
    this.#ended ??= this.#enqueue(async () => {
      clearTimeout(this.#timer);
      await this.#insist(() => this.#seal());
      await this.#insist(async () => this.#writer.end(endOf(this.seals)));
      this.#writer.close();
    }).then(() => endOf(this.seals));
    return this.#ended;
  }

  /** Lets go of everything without sealing: the recording was deleted. Resolves once no handle is held. */
  async abandon(): Promise<void> {
    this.#abandoned = true;
    this.#ended ??= Promise.resolve(endOf(this.seals));
    clearTimeout(this.#timer);
    this.wake();
    await this.#queue;
    this.#writer.close();
  }

  /** Space may have become free: try again now. */
  wake(): void {
    this.#gate.reset(Date.now());
    this.#wake.abort();
  }

  #enqueue(work: () => Promise<void>): Promise<void> {
    const done = this.#queue.then(work);
    // The queue goes on whatever happened to one entry; `insist` never rejects, so this is for a blob that cannot be read.
    this.#queue = done.catch((error: unknown) => this.#events.trouble(troubleOf('write_failed', error)));
    return done;
  }

  /** `wrote` hears how much of `bytes` is on disk, each time in the same turn as it is. */
  async #append(
    bytes: Uint8Array<ArrayBuffer>,
    startMs: number,
    endMs: number,
    wrote: (written: number) => void,
  ): Promise<void> {
    for (let at = 0; at < bytes.length && !this.#abandoned; ) {
      const fits = bytesThatFit(this.#writer.openSize, bytes.length - at, this.#limits);
      if (fits > 0) {
        const piece = bytes.subarray(at, at + fits);
        await this.#insist(() => this.#write(piece, startMs, endMs, () => wrote(at + fits)));
      }
      at += fits;
      if (fits === 0 || isFull(this.#writer.openSize, this.#limits)) await this.#insist(() => this.#seal());
    }
  }

  async #write(bytes: Uint8Array<ArrayBuffer>, startMs: number, endMs: number, written: () => void): Promise<void> {
    const fresh = this.#writer.open === null;
    const flushMs = await this.#writer.write(bytes, startMs, endMs);
    this.#begun = true;
    written();
    if (fresh) this.#sealWhenDue(performance.now());
    const open = this.#writer.open;
    if (open) this.#events.flushed(open, bytes.length, flushMs);
  }

  async #seal(): Promise<void> {
    clearTimeout(this.#timer);
    const seal = await this.#writer.seal();
    if (seal) this.#events.sealed(seal);
  }

  /** By the worker's clock, not by slices: a stalled MediaRecorder must not keep a chunk open. */
  #sealWhenDue(openedAt: number): void {
    const seq = this.#writer.open?.seq;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => {
        void this.#enqueue(async () => {
          if (this.#writer.open?.seq === seq && !this.#ended) await this.#insist(() => this.#seal());
        });
      },
      dueInMs(performance.now() - openedAt, this.#limits),
    );
  }

  /** Does `work` until it succeeds: a slice in memory is never given up. What is open is sealed meanwhile, to be sent. */
  async #insist(work: () => Promise<void>): Promise<void> {
    while (!this.#abandoned) {
      try {
        await work();
        this.#onWritten();
        return;
      } catch (error) {
        if (isStorageFull(error) && (await this.#events.makeRoom())) continue;
        this.#onFailed(error);
      }
      if (!this.#abandoned) await this.#sealMeanwhile();
      this.#wake = new AbortController();
      if (this.#abandoned) return;
      await pause(this.#gate.opensAt - Date.now(), this.#wake.signal);
    }
  }

  #onWritten(): void {
    if (!this.#troubled) return;
    this.#troubled = false;
    this.#gate.succeed(Date.now());
    this.#events.trouble(null);
  }

  #onFailed(error: unknown): void {
    this.#gate.fail(Date.now());
    if (!this.#troubled) this.#events.trouble(troubleOf(isStorageFull(error) ? 'storage_full' : 'write_failed', error));
    this.#troubled = true;
  }

  /** What is on disk already can go out and be released, which is what frees space. */
  async #sealMeanwhile(): Promise<void> {
    try {
      await this.#seal();
    } catch {
      // The disk takes not even a journal line: the caller's next round tries again, and its problem is already said.
    }
  }
}
