/** The uploads of files as one worker sees them: given by its page, left by an earlier visit, or handed on by another tab. */
import type { ControlPlane } from './control-plane';
import { asTrouble, Failure, type Trouble } from './failure';
import { Feed, type FeedHost } from './feed';
import { dropHandle, keepHandle, keptHandle, mayRead } from './file-handles';
import { chunkCountOf, FILE_CHUNK_BYTES, fileTypeOf } from './file-plan';
import { FilePace } from './file-progress';
import { FileSource, refusesChangedFiles } from './file-source';
import { noteFinished, uploadedBefore } from './finished-files';
import { GivenFiles } from './given-files';
import { type Entry, type Inventory, isSent, viewOf } from './inventory';
import { endOf, type FileFacts, type Seal } from './journal';
import { type HeldLock, holdLock, lockNames } from './locks';
import type { Spool } from './spool';
import type { BetweenTabs, FileBegin, FileMarks } from './spool-protocol';
import type { ChunkView } from './types';
import type { Uploading } from './uploading';
import type { SpoolWriter } from './writer';

/** A feed that was just ended, or a completion under way, holds the recording's lock for a moment. */
const LOCK_PATIENCE_MS = 2_000;

/** The speed of what is being sent is told anew this often. */
const PACE_TICK_MS = 1_000;

/** The worker around it. */
export interface FilesHost {
  spool(): Spool;
  plane(): ControlPlane;
  /** The uploading in this worker; null while another tab uploads. */
  uploading(): Uploading | null;
  toTabs(message: BetweenTabs): void;
  problem(problem: Trouble, id: string): void;
  /** What the browser still grants this origin, in bytes; null where it does not tell. */
  roomBytes(): Promise<number | null>;
  /** How many bytes of files may be copied to OPFS. */
  copyBytes(): number;
}

interface Fed {
  recording: Feed;
  lock: HeldLock;
}

export class Files {
  readonly #inventory: Inventory;
  readonly #host: FilesHost;
  readonly #stop: AbortSignal;
  readonly given: GivenFiles;
  readonly #feeds = new Map<string, Fed>();
  readonly #paces = new Map<string, FilePace>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(inventory: Inventory, host: FilesHost, stop: AbortSignal) {
    this.#inventory = inventory;
    this.#host = host;
    this.#stop = stop;
    this.given = new GivenFiles(inventory, () => host.spool());
    const tick = setInterval(() => this.#tellPaces(), PACE_TICK_MS);
    stop.addEventListener('abort', () => clearInterval(tick));
  }

  /** The feed of this worker for an upload, in the shape of whatever writes a recording. */
  get(id: string): Fed | undefined {
    return this.#feeds.get(id);
  }

  /** Ends all reading, where it is. */
  async close(): Promise<void> {
    await Promise.all([...this.#feeds.values()].map(({ recording }) => recording.abandon()));
  }

  /** Whoever calls ends the feed and releases its lock. */
  letGo(id: string): boolean {
    return this.#feeds.delete(id);
  }

  /** @throws Failure, with nothing noted or changed. */
  async begin(asked: FileBegin): Promise<{ id: string; already: boolean }> {
    const { file, handle } = asked;
    if (file.size === 0) throw new Failure('file_empty');
    const unfinished = asked.resume ?? this.#unfinishedOf(file);
    if (unfinished !== null) return this.#goOn(unfinished, file, handle);
    const mimeType = fileTypeOf(file, asked.mimeType);
    const { name, size, lastModified } = file;
    const facts: FileFacts = { name, size, lastModified, chunkBytes: FILE_CHUNK_BYTES };
    const source = new FileSource(file, facts);
    await source.read(0, 0, 1);
    const before = asked.again
      ? null
      : await uploadedBefore(this.#host.spool(), this.#host.plane(), source, this.#stop);
    if (before !== null) return { id: before, already: true };
    await this.#create(asked, mimeType, source);
    return { id: asked.id, already: false };
  }

  async #create({ id, title, handle }: FileBegin, mimeType: string, source: FileSource): Promise<void> {
    const lock = await this.#lock(id);
    if (!lock) throw new Failure('recording_exists');
    try {
      const spool = this.#host.spool();
      const { owner, recorderId } = spool;
      const facts = { id, owner, recorderId, mimeType, title: title || source.facts.name, startedAt: Date.now() };
      const writer = await spool.create({ ...facts, file: source.facts });
      writer.startSegment();
      this.#feed(writer, source, lock);
    } catch (error) {
      lock.release();
      throw error;
    }
    await this.#keep(id, handle);
  }

  #unfinishedOf({ name, size, lastModified }: File): string | null {
    for (const [id, { facts, complete }] of this.#inventory.entries()) {
      const { file } = facts;
      if (complete || file?.name !== name || file.size !== size || file.lastModified !== lastModified) continue;
      return id;
    }
    return null;
  }

  /** Goes on with an upload, once the file is proven to be the one it began with. */
  async #goOn(id: string, file: File, handle: FileSystemFileHandle | null): Promise<{ id: string; already: boolean }> {
    const entry = this.#inventory.get(id);
    if (!entry?.facts.file) throw new Failure('recording_not_resumable');
    const source = new FileSource(file, entry.facts.file);
    if (entry.complete) return { id, already: true };
    if (!this.#feeds.has(id)) await this.#check(id, source, entry);
    await this.#keep(id, handle);
    return { id, already: false };
  }

  async #check(id: string, source: FileSource, entry: Entry): Promise<void> {
    const lock = await this.#lock(id);
    if (!lock) return; // Another tab has the file already.
    let writer: SpoolWriter | null = null;
    this.#mark(id, { checking: true });
    try {
      writer = await this.#host.spool().write(id);
      await this.#prove(source, writer.state.seals);
      this.#mark(id, { checking: false, sourceNeeded: false });
      if (entry.problem) this.#inventory.mark(id, { problem: undefined, stuck: false });
      this.#feed(writer, source, lock);
    } catch (error) {
      this.#mark(id, { checking: false });
      writer?.close();
      lock.release();
      throw error;
    }
  }

  /** What was sealed must be in it byte for byte; where anything else is still to be read, so must be its time. */
  async #prove(source: FileSource, seals: readonly Seal[]): Promise<void> {
    const { lastModified } = source.facts;
    if (seals.length < chunkCountOf(source.facts) && source.lastModified !== lastModified) {
      throw new Failure('source_changed', `it was changed ${new Date(source.lastModified).toISOString()}`);
    }
    await source.verify(seals, this.#stop);
  }

  async #lock(id: string): Promise<HeldLock | null> {
    const name = lockNames.recording(this.#host.spool().owner, id);
    const patience = AbortSignal.any([AbortSignal.timeout(LOCK_PATIENCE_MS), this.#stop]);
    try {
      return await holdLock(name, { signal: patience });
    } catch (error) {
      if (patience.aborted) return null;
      throw error;
    }
  }

  #feed(writer: SpoolWriter, source: FileSource, lock: HeldLock): void {
    const { id } = writer.facts;
    const feed = new Feed(writer, source, this.#feedHost());
    this.given.take(id, source.file);
    this.#feeds.set(id, { recording: feed, lock });
    this.#inventory.open(writer.facts);
    for (const seal of feed.seals) {
      if (!this.#inventory.get(id)?.chunks.has(seal.seq)) this.#inventory.put(id, viewOf(seal, 'on_disk', Date.now()));
    }
    this.announce(id);
    void this.#run(feed);
  }

  async #run(feed: Feed): Promise<void> {
    const { id } = feed;
    try {
      const end = await feed.run();
      this.#release(id);
      if (!end) return;
      this.#inventory.mark(id, { end });
      this.#host.uploading()?.ended(id, end);
      this.#host.toTabs({ type: 'ended', id, end });
    } catch (error) {
      this.#release(id);
      await this.sourceLost(id, asTrouble(error, 'source_unreadable'));
    }
  }

  #release(id: string): void {
    this.#feeds.get(id)?.lock.release();
    this.#feeds.delete(id);
  }

  #feedHost(): FeedHost {
    return {
      view: async (id) => ({
        paused: this.#inventory.get(id)?.file?.paused ?? false,
        recording: [...this.#inventory.entries()].some(([, { live }]) => live),
        unsent: this.#chunks(id).filter(({ state }) => !isSent(state)).length,
        heldBytes: this.#heldBytes(),
        copyBytes: this.#host.copyBytes(),
        roomBytes: await this.#host.roomBytes(),
      }),
      sealed: (id, seal) => {
        this.#inventory.put(id, viewOf(seal, 'on_disk', Date.now()));
        this.#host.uploading()?.sealed(id, seal);
        this.#host.toTabs({ type: 'sealed', id, seal });
      },
      trouble: (id, problem) => {
        this.#inventory.mark(id, { problem: problem ?? undefined });
        if (problem) this.#host.problem(problem, id);
      },
      inTurn: (work) => this.#inTurn(work),
    };
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined); // Whoever asked for the work hears of its failure.
    return done;
  }

  #heldBytes(): number {
    let held = 0;
    for (const [id, { facts }] of this.#inventory.entries()) {
      if (!facts.file) continue;
      for (const chunk of this.#chunks(id)) if (isHeld(chunk)) held += chunk.size;
    }
    return held;
  }

  #chunks(id: string): ChunkView[] {
    return [...(this.#inventory.get(id)?.chunks.values() ?? [])];
  }

  /** Tells the uploading what this tab feeds, or all of it. */
  announce(only?: string): void {
    for (const [id, { recording }] of this.#feeds) {
      if (only !== undefined && id !== only) continue;
      const { facts, seals } = recording;
      this.#host.uploading()?.writing(facts, seals, true);
      const file = this.given.get(id);
      if (file) this.#host.toTabs({ type: 'source', id, file });
      this.#host.toTabs({ type: 'writing', facts, seals: [...seals] });
    }
  }

  /** An upload was found on disk, and nobody feeds it: goes on with its file where it may be read, else says so. */
  async found(id: string): Promise<void> {
    const entry = this.#inventory.get(id);
    if (!entry?.facts.file || this.#feeds.has(id)) return;
    const { paused } = await this.#host.spool().releases(id);
    if (paused) this.#mark(id, { paused });
    this.#host.uploading()?.uploader.hold(id, paused);
    const isGiven = this.given.has(id);
    if (entry.complete || (entry.end && (isGiven || !this.#needsSource(entry)))) return;
    if (!isGiven && !this.#needsSource(entry)) {
      this.#endSealed(id, entry);
      return this.#host.uploading()?.endIfSent(id);
    }
    try {
      const handle = await keptHandle(id);
      const file = this.given.get(id) ?? (await fileBehind(handle));
      if (file) await this.#goOn(id, file, handle);
      else this.#mark(id, { sourceNeeded: true, reopenable: handle !== null });
    } catch (error) {
      await this.sourceLost(id, asTrouble(error, 'source_unreadable'));
    }
  }

  /** What the control plane has of an upload is known anew: its file may not be needed any more. */
  onStatus(id: string): void {
    const entry = this.#inventory.get(id);
    if (!entry?.file) return;
    const sourceNeeded = this.#needsSource(entry) && !this.given.has(id);
    if (!sourceNeeded && !this.given.has(id)) this.#endSealed(id, entry);
    if (sourceNeeded === entry.file.sourceNeeded) return;
    this.#mark(id, { sourceNeeded });
    if (!sourceNeeded) this.#inventory.mark(id, { problem: undefined });
  }

  /** Whoever read it died between its last chunk and the note of its end. */
  #endSealed(id: string, { end, chunks }: Entry): void {
    if (!end) this.#inventory.mark(id, { end: endOf([...chunks.values()]) });
  }

  #needsSource({ facts, chunks, end }: Entry): boolean {
    if (!facts.file) return false;
    if (chunks.size < chunkCountOf(facts.file)) return true;
    // That all of it is of one state of the file, only a second look at that tells, or a browser that lets no other be read.
    if (!end && !refusesChangedFiles()) return true;
    return [...chunks.values()].some(({ held, state }) => held === false && !isSent(state));
  }

  /** The file cannot be read any more, or is another: nothing more of it is sent until it is chosen again. */
  async sourceLost(id: string, problem: Trouble, told = false): Promise<void> {
    const known = this.given.forget(id);
    await this.#feeds.get(id)?.recording.abandon();
    this.#host.uploading()?.withoutSource(id);
    if (!this.#inventory.get(id)) return;
    this.#mark(id, { sourceNeeded: true, reopenable: (await keptHandle(id)) !== null, bytesPerSecond: null });
    this.#inventory.mark(id, { problem });
    if (told) return;
    this.#host.toTabs({ type: 'source_lost', id, problem });
    if (known) this.#host.problem(problem, id);
  }

  /** A person pauses an upload, or goes on with it. */
  pause(id: string, paused: boolean): void {
    this.#pause(id, paused).catch((error: unknown) => this.#host.problem(asTrouble(error, 'unexpected'), id));
  }

  async #pause(id: string, paused: boolean): Promise<void> {
    const uploading = this.#host.uploading();
    if (!uploading) return this.#host.toTabs({ type: 'pause_file', id, paused });
    const entry = this.#inventory.get(id);
    if (!entry?.facts.file || entry.complete) return;
    this.#paces.get(id)?.restart(Date.now());
    this.#mark(id, { paused, bytesPerSecond: null });
    uploading.uploader.hold(id, paused);
    this.wake();
    await this.#host.spool().note(id, { t: 'paused', paused });
  }

  /** Something changed that a feed may wait for. */
  wake(): void {
    for (const { recording } of this.#feeds.values()) recording.wake();
  }

  /** A chunk changed its state. */
  onChunk(id: string, { state, size }: ChunkView): void {
    if (!this.#inventory.get(id)?.facts.file) return;
    const pace = this.#paces.get(id) ?? new FilePace(Date.now());
    this.#paces.set(id, pace);
    if (state === 'in_bucket') pace.sent(Date.now(), size);
    this.wake();
  }

  #tellPaces(): void {
    if (!this.#host.uploading()) return;
    for (const [id, pace] of this.#paces) {
      const bytesPerSecond = pace.perSecond(Date.now());
      const entry = this.#inventory.get(id);
      if (entry?.file && !entry.complete && entry.file.bytesPerSecond !== bytesPerSecond)
        this.#mark(id, { bytesPerSecond });
    }
  }

  /** An upload is complete: the same file need not be sent again. */
  async onCompleted(id: string): Promise<void> {
    const facts = this.#inventory.get(id)?.facts.file;
    if (!facts) return;
    const digests = this.#chunks(id)
      .sort((a, b) => a.seq - b.seq)
      .map(({ sha256 }) => sha256);
    await this.forget(id);
    await noteFinished(this.#host.spool(), id, facts, digests);
  }

  /** An upload is over or deleted. Its file stays at hand for tickets until this tab closes, if it is complete. */
  async forget(id: string, deleted = false): Promise<void> {
    if (deleted) this.given.forget(id);
    this.#paces.delete(id);
    await dropHandle(id).catch(() => undefined); // A handle left behind does no harm: ids are never used again.
  }

  async #keep(id: string, handle: FileSystemFileHandle | null): Promise<void> {
    // Without a handle the file is chosen again after a reload: nothing is lost, so nothing is said.
    if (handle) await keepHandle(id, handle).catch(() => undefined);
  }

  #mark(id: string, marks: Partial<FileMarks>): void {
    const file = this.#inventory.get(id)?.file;
    if (file) this.#inventory.mark(id, { file: { ...file, ...marks } });
  }
}

function isHeld({ held, state }: ChunkView): boolean {
  return held !== false && state !== 'released';
}

/** The file behind a handle, where the browser lets it be read without asking. */
async function fileBehind(handle: FileSystemFileHandle | null): Promise<File | null> {
  return handle && (await mayRead(handle, false)) ? handle.getFile() : null;
}
