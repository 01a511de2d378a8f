/** Writing one recording to OPFS: its journal and the one open chunk, both through exclusive sync handles. */
import { sha256Hex } from './digest';
import { Failure } from './failure';
import {
  applyRecord,
  type End,
  encodeLine,
  type JournalRecord,
  type JournalState,
  type OpenChunk,
  parseLines,
  type RecordingFacts,
  replayJournal,
  type Seal,
  sealedMs,
} from './journal';
import { entriesOf, isNotFound, openHandle, readAll, removeFile, writeFlushed } from './opfs';
import { chunkName, chunkNumbers, JOURNAL } from './recording-files';
import { DEFAULT_CHUNK_MS } from './sealing';

interface OpenFile extends OpenChunk {
  handle: FileSystemSyncAccessHandle;
  size: number;
  endMs: number;
}

/**
 * The writer of one recording. Its caller holds the recording's lock and calls one method at a time.
 *
 * Every method either did all of its work, flushed, or can be called again: a full disk leaves nothing half done.
 */
export class SpoolWriter {
  readonly state: JournalState;
  readonly #directory: FileSystemDirectoryHandle;
  readonly #journal: FileSystemSyncAccessHandle;
  #journalLength: number;
  #segment = 0;
  #open: OpenFile | null = null;

  private constructor(
    directory: FileSystemDirectoryHandle,
    journal: FileSystemSyncAccessHandle,
    state: JournalState,
    validLength: number,
  ) {
    this.#directory = directory;
    this.#journal = journal;
    this.#journalLength = validLength;
    this.state = state;
  }

  static async create(directory: FileSystemDirectoryHandle, facts: RecordingFacts): Promise<SpoolWriter> {
    const journal = await openHandle(directory, JOURNAL, true);
    const writer = new SpoolWriter(directory, journal, replayJournal([]), 0);
    writer.#orClose(() => writer.#append({ t: 'recording', v: 1, ...facts }));
    return writer;
  }

  /** Opens an existing recording and truncates what a crash tore. @throws Failure `journal_damaged`. */
  static async reopen(directory: FileSystemDirectoryHandle): Promise<SpoolWriter> {
    const journal = await openHandle(directory, JOURNAL, false);
    try {
      const { records, validLength } = parseLines<JournalRecord>(readAll(journal));
      const state = replayJournal(records);
      if (!state.facts) throw new Failure('journal_damaged');
      journal.truncate(validLength);
      return new SpoolWriter(directory, journal, state, validLength);
    } catch (error) {
      journal.close();
      throw error;
    }
  }

  get facts(): RecordingFacts {
    if (!this.state.facts) throw new Failure('journal_damaged');
    return this.state.facts;
  }

  /** Size in bytes of the open chunk; 0 when none is open. */
  get openSize(): number {
    return this.#open?.size ?? 0;
  }

  /** The open chunk as it stands, or null. */
  get open(): (OpenChunk & { size: number; endMs: number }) | null {
    return this.#open;
  }

  /** The segment that is being written. */
  get segment(): number {
    return this.#segment;
  }

  /** The bytes of the open chunk as they are on disk, or null when none is open. */
  readOpen(): Uint8Array<ArrayBuffer> | null {
    return this.#open && readAll(this.#open.handle);
  }

  /** Starts the next segment; nothing is open. Answers its number and where it begins in recorded time. */
  startSegment(startMs = sealedMs(this.state.seals)): { segment: number; startMs: number } {
    const segment = this.state.nextSegment;
    this.#append({ t: 'segment', segment, startMs });
    this.#segment = segment;
    return { segment, startMs };
  }

  /**
   * Appends bytes of one slice to the open chunk (opening the next one if need be) and flushes them. Answers how many
   * milliseconds write and flush took.
   */
  async write(bytes: Uint8Array<ArrayBuffer>, startMs: number, endMs: number): Promise<number> {
    const open = this.#open ?? (await this.#openNext(startMs));
    const before = performance.now();
    writeFlushed(open.handle, bytes, open.size);
    open.size += bytes.length;
    open.endMs = endMs;
    return performance.now() - before;
  }

  async #openNext(startMs: number): Promise<OpenFile> {
    const chunk: OpenChunk = { seq: this.state.nextSeq, segment: this.#segment, startMs };
    const noted = this.state.open;
    if (noted?.seq !== chunk.seq || noted.segment !== chunk.segment) this.#append({ t: 'open', ...chunk });
    const handle = await openHandle(this.#directory, chunkName(chunk.seq, chunk.segment), true);
    handle.truncate(0);
    this.#open = { ...chunk, handle, size: 0, endMs: startMs };
    return this.#open;
  }

  /**
   * Seals the open chunk: its digest is of what is read back from the file after the flush, and counts only once the
   * seal is flushed in the journal. Null when nothing is open.
   */
  async seal(): Promise<Seal | null> {
    const open = this.#open;
    if (!open || open.size === 0) return null;
    const bytes = readAll(open.handle);
    if (bytes.length !== open.size) throw new Failure('chunk_damaged');
    const seal: Seal = {
      seq: open.seq,
      segment: open.segment,
      size: open.size,
      sha256: await sha256Hex(bytes),
      startMs: open.startMs,
      durationMs: Math.max(0, open.endMs - open.startMs),
    };
    this.#append({ t: 'seal', ...seal });
    open.handle.close();
    this.#open = null;
    return seal;
  }

  /** Seals a chunk of a file without copying it; what was begun of a copy goes. Its digest is of what was read. */
  async sealUncopied(size: number, sha256: string): Promise<Seal> {
    const { nextSeq: seq } = this.state;
    // An empty file beside a seal would say that the chunk was released.
    await this.dropOpen();
    const seal: Seal = { seq, segment: this.#segment, size, sha256, startMs: 0, durationMs: 0, held: false };
    this.#append({ t: 'seal', ...seal });
    return seal;
  }

  /** Throws away what was begun of a copy of a file's next chunk, here or by a dead writer. */
  async dropOpen(): Promise<void> {
    this.#closeOpen();
    await removeFile(this.#directory, chunkName(this.state.nextSeq, this.#segment));
  }

  /**
   * Seals what a dead writer left open, if it has bytes; without bytes its number stays free, since nothing
   * was ever said about it. @throws DOMException when somebody else still holds its handle.
   */
  async sealLeftovers(): Promise<void> {
    if (this.state.open) await this.#sealLeftover(this.state.open);
    // Files beyond the journal's valid prefix: their lines were lost, their names and bytes tell what they are.
    for (;;) {
      const stray = await this.#nextStray();
      if (!stray || !(await this.#sealLeftover(stray))) return;
    }
  }

  async #nextStray(): Promise<OpenChunk | null> {
    for (const [name] of await entriesOf(this.#directory)) {
      const chunk = chunkNumbers(name);
      if (chunk?.seq === this.state.nextSeq) return { ...chunk, startMs: sealedMs(this.state.seals) };
    }
    return null;
  }

  async #sealLeftover(left: OpenChunk): Promise<Seal | null> {
    const name = chunkName(left.seq, left.segment);
    try {
      const endMs = await this.#leftoverEndMs(left, name);
      const handle = await openHandle(this.#directory, name, false);
      this.#open = { ...left, handle, size: handle.getSize(), endMs };
    } catch (error) {
      if (isNotFound(error)) return null;
      throw error;
    }
    if (this.#open.size > 0) {
      this.#open.handle.flush(); // Its last write may not have been flushed by the one who died.
      return this.seal();
    }
    this.#closeOpen();
    await removeFile(this.#directory, name);
    return null;
  }

  /** Recorded time cannot be longer than the wall clock ran between the start and the last write. */
  async #leftoverEndMs(left: OpenChunk, name: string): Promise<number> {
    const file = await (await this.#directory.getFileHandle(name)).getFile();
    const wall = file.lastModified - this.facts.startedAt - left.startMs;
    return left.startMs + Math.min(Math.max(0, wall), DEFAULT_CHUNK_MS);
  }

  end(end: End): void {
    this.#append({ t: 'end', ...end });
  }

  /** Lets go of all handles; what is open stays a leftover. */
  close(): void {
    this.#closeOpen();
    this.#journal.close();
  }

  #closeOpen(): void {
    this.#open?.handle.close();
    this.#open = null;
  }

  #append(record: JournalRecord): void {
    const line = encodeLine(record);
    writeFlushed(this.#journal, line, this.#journalLength);
    this.#journalLength += line.length;
    applyRecord(this.state, record);
  }

  #orClose(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.close();
      throw error;
    }
  }
}
