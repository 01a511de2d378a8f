/**
 * The spool: everything one owner has on this device, in OPFS.
 *
 *     safereel/last-owner                          who was signed in last (for starting offline)
 *     safereel/{hash of owner}/identity            owner, recorder id
 *     safereel/{hash of owner}/{recording id}/journal, releases, {seq:8}-{segment:4}
 *
 * A chunk file goes away only after its release was flushed to `releases`, so a crash between the two repeats the
 * deletion and never loses what a chunk was. A release that was noted as kept leaves the file for as long as there is room
 * (see `kept.ts`). Whoever writes to a recording holds its Web Lock (see `locks.ts`).
 */
import { sha256Hex } from './digest';
import { Failure, isStorageFull } from './failure';
import {
  type End,
  endOf,
  type JournalRecord,
  type JournalState,
  type RecordingFacts,
  type ReleaseRecord,
  type ReleaseState,
  replayJournal,
  replayReleases,
  type Seal,
} from './journal';
import { type KeptSeal, keptOf } from './kept-files';
import { appendLines, linesOf } from './line-files';
import { directoryIn, emptyFile, entriesOf, isNotFound, removeDirectory, removeFile } from './opfs';
import { type ChunkFiles, chunkFiles, chunkName, chunkNumbers, JOURNAL, RELEASES, releasesIn } from './recording-files';
import { ownerDirectoryName, rememberOwner } from './spool-root';
import { SpoolWriter } from './writer';

const IDENTITY = 'identity';
const UUID_NAME = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** A recording as it lies on disk. */
export interface SpooledRecording {
  facts: RecordingFacts;
  journal: JournalState;
  releases: ReleaseState;
  /** Sizes of the chunk files that are there, by seq, but for those of kept copies. */
  files: ChunkFiles;
  /** Chunks that were released and are still there, whole. */
  kept: KeptSeal[];
}

export class Spool {
  readonly owner: string;
  readonly recorderId: string;
  readonly #root: FileSystemDirectoryHandle;
  readonly #directory: FileSystemDirectoryHandle;

  private constructor(
    root: FileSystemDirectoryHandle,
    directory: FileSystemDirectoryHandle,
    owner: string,
    recorderId: string,
  ) {
    this.#root = root;
    this.#directory = directory;
    this.owner = owner;
    this.recorderId = recorderId;
  }

  /** Opens an owner's spool, making its identity the first time. Call it under the owner's identity lock. */
  static async open(root: FileSystemDirectoryHandle, owner: string): Promise<Spool> {
    const directory = await root.getDirectoryHandle(await ownerDirectoryName(owner), { create: true });
    const known = (await linesOf<{ recorderId: string }>(directory, IDENTITY)).at(-1);
    const recorderId = known?.recorderId ?? crypto.randomUUID();
    if (!known) await appendLines(directory, IDENTITY, [{ owner, recorderId }]);
    await rememberOwner(root, owner);
    return new Spool(root, directory, owner, recorderId);
  }

  /** The ids of all recordings on this device, oldest first (UUIDv7 sorts by birth). */
  async recordingIds(): Promise<string[]> {
    const entries = await entriesOf(this.#directory);
    return entries
      .filter(([name, handle]) => handle.kind === 'directory' && UUID_NAME.test(name))
      .map(([name]) => name)
      .sort();
  }

  /** How many chunks of other owners lie on this device and were not released. They are counted and never touched. */
  async foreignChunks(): Promise<number> {
    let count = 0;
    for (const [name, handle] of await entriesOf(this.#root)) {
      if (handle.kind !== 'directory' || name === this.#directory.name) continue;
      for (const [, recording] of await entriesOf(handle as FileSystemDirectoryHandle)) {
        if (recording.kind !== 'directory') continue;
        const { released } = await releasesIn(recording as FileSystemDirectoryHandle);
        for (const [file] of await entriesOf(recording as FileSystemDirectoryHandle)) {
          const numbers = chunkNumbers(file);
          if (numbers && !released.has(numbers.seq)) count += 1;
        }
      }
    }
    return count;
  }

  /** Starts a recording: its directory and journal, flushed. @throws Failure `recording_exists`. */
  async create(facts: RecordingFacts): Promise<SpoolWriter> {
    if (await directoryIn(this.#directory, facts.id)) throw new Failure('recording_exists');
    const directory = await this.#directory.getDirectoryHandle(facts.id, { create: true });
    return SpoolWriter.create(directory, facts);
  }

  /**
   * Opens a recording for writing. The caller holds its lock, so nobody else writes.
   * @throws Failure `recording_not_resumable` when it is not here or its journal is unreadable.
   */
  async write(id: string): Promise<SpoolWriter> {
    const directory = await directoryIn(this.#directory, id);
    if (!directory) throw new Failure('recording_not_resumable');
    return SpoolWriter.reopen(directory);
  }

  /** Reads a recording as it lies on disk; null when nothing was ever recorded under this id. */
  async load(id: string): Promise<SpooledRecording | null> {
    const directory = await directoryIn(this.#directory, id);
    if (!directory) return null;
    const journal = replayJournal(await linesOf<JournalRecord>(directory, JOURNAL));
    const releases = await this.releases(id);
    const files = await chunkFiles(directory);
    if (!journal.facts) {
      if (files.size > 0) throw new Failure('journal_damaged');
      return null;
    }
    const kept = keptOf(journal.seals, releases, files);
    for (const { seal } of kept) files.delete(seal.seq);
    return { facts: journal.facts, journal, releases, files, kept };
  }

  /** The chunk files of a recording whose journal cannot be read. */
  async looseChunks(id: string): Promise<{ seq: number; segment: number; size: number }[]> {
    const directory = await this.#directory.getDirectoryHandle(id);
    const files = [...(await chunkFiles(directory))];
    return files.map(([seq, { name, size }]) => ({ seq, segment: chunkNumbers(name)?.segment ?? 0, size }));
  }

  /** What was released and completed of a recording. */
  async releases(id: string): Promise<ReleaseState> {
    const directory = await directoryIn(this.#directory, id);
    return directory ? releasesIn(directory) : replayReleases([]);
  }

  /** The bytes of a chunk as a File that streams from disk. @throws Failure `chunk_vanished`, `chunk_damaged`. */
  async chunkFile(id: string, seal: Seal): Promise<File> {
    const file = await this.#openChunk(id, seal);
    if (file.size !== seal.size) throw new Failure('chunk_damaged');
    return file;
  }

  /** Whether the file still has the digest it was sealed with. */
  async isIntact(id: string, seal: Seal): Promise<boolean> {
    const file = await this.#openChunk(id, seal);
    return (await sha256Hex(new Uint8Array(await file.arrayBuffer()))) === seal.sha256;
  }

  async #openChunk(id: string, seal: Seal): Promise<File> {
    try {
      const directory = await this.#directory.getDirectoryHandle(id);
      return await (await directory.getFileHandle(chunkName(seal.seq, seal.segment))).getFile();
    } catch (error) {
      if (isNotFound(error)) throw new Failure('chunk_vanished', error);
      throw error;
    }
  }

  /**
   * Notes that these chunks may go (`to`: filed under that other recording), flushed, and then deletes their files. Those that
   * are to be kept (since `kept`, epoch ms) stay; answers false when the disk was too full for that.
   */
  async release(id: string, seals: readonly Seal[], more: { to?: string; kept?: number } = {}): Promise<boolean> {
    const directory = await this.#directory.getDirectoryHandle(id);
    const records = seals.map(({ seq, sha256 }): ReleaseRecord => ({ t: 'release', seq, sha256, ...more }));
    try {
      await appendLines(directory, RELEASES, records);
      if (more.kept !== undefined) return true;
    } catch (error) {
      if (!isStorageFull(error)) throw error;
      // A full disk takes no note, and without these deletions it stays full: an empty file is a note that needs no space.
      for (const seal of seals) await emptyFile(directory, chunkName(seal.seq, seal.segment));
      await appendLines(directory, RELEASES, records);
    }
    for (const seal of seals) await removeFile(directory, chunkName(seal.seq, seal.segment));
    return false;
  }

  /** Deletes kept copies, but for those that were taken back meanwhile. The caller holds the lock of what is kept. */
  async free(id: string, seals: readonly Seal[]): Promise<void> {
    const directory = await directoryIn(this.#directory, id);
    if (!directory) return;
    const { kept } = await releasesIn(directory);
    for (const { seq, segment } of seals) if (kept.has(seq)) await removeFile(directory, chunkName(seq, segment));
  }

  /**
   * Takes a kept copy back: it is held as before its release. Answers false when it is not there any more. The caller holds the
   * lock of what is kept.
   */
  async takeBack(id: string, seal: Seal): Promise<boolean> {
    try {
      if ((await this.#openChunk(id, seal)).size !== seal.size) return false;
    } catch (error) {
      if (error instanceof Failure) return false;
      throw error;
    }
    await this.note(id, { t: 'hold', seq: seal.seq });
    return true;
  }

  /** Removes what is left of a recording that is complete, and of which nothing is held or kept. The caller holds its lock. */
  async removeIfDone(id: string): Promise<void> {
    const found = await this.load(id);
    const isOver = found?.releases.complete || found?.releases.contested;
    if (!found || !isOver || found.files.size > 0 || found.kept.length > 0) return;
    if (found.journal.seals.every(({ seq }) => found.releases.released.has(seq))) await this.remove(id);
  }

  /** Deletes files whose release was noted, in the journal or by emptying them, and whose deletion a crash prevented. */
  async finishReleases(id: string, recording: SpooledRecording): Promise<void> {
    const { journal, releases, files } = recording;
    const isEmptied = (seal: Seal) => files.get(seal.seq)?.size === 0 && !releases.released.has(seal.seq);
    const due = journal.seals.filter(
      (seal) => isEmptied(seal) || (releases.released.has(seal.seq) && files.has(seal.seq)),
    );
    if (due.length === 0) return;
    await this.release(id, due);
    for (const { seq, sha256 } of due) {
      releases.released.set(seq, sha256);
      files.delete(seq);
    }
  }

  /** Lines about the owner's uploads as a whole; the newest last. */
  lines<T>(name: string): Promise<T[]> {
    return linesOf(this.#directory, name);
  }

  async addLine(name: string, record: object): Promise<void> {
    await appendLines(this.#directory, name, [record]);
  }

  async note(id: string, record: ReleaseRecord): Promise<void> {
    await appendLines(await this.#directory.getDirectoryHandle(id), RELEASES, [record]);
  }

  /**
   * Removes a recording that its owner deleted; one that is not here is fine. The note comes first and goes last, so that a
   * death between two steps leaves what `isDiscarded` tells and the next visit finishes. The caller holds its lock.
   */
  async discard(id: string): Promise<void> {
    const directory = UUID_NAME.test(id) ? await directoryIn(this.#directory, id) : null;
    if (!directory) return;
    let noted = await this.#noteDiscard(directory);
    for (const { name } of (await chunkFiles(directory)).values()) {
      await removeFile(directory, name);
      if (!noted) noted = await this.#noteDiscard(directory);
    }
    await removeFile(directory, JOURNAL);
    await this.remove(id);
  }

  /** False when the disk is too full even for a note: the first file that goes makes room for it. */
  async #noteDiscard(directory: FileSystemDirectoryHandle): Promise<boolean> {
    try {
      await appendLines(directory, RELEASES, [{ t: 'discard' } satisfies ReleaseRecord]);
      return true;
    } catch (error) {
      if (!isStorageFull(error)) throw error;
      return false;
    }
  }

  /** True when a deletion of this recording was begun here and a crash cut it off. */
  async isDiscarded(id: string): Promise<boolean> {
    return (await this.releases(id)).discarded;
  }

  /** Removes a recording altogether: only when it is complete and all released, or deleted by its owner. */
  async remove(id: string): Promise<void> {
    await removeDirectory(this.#directory, id);
  }

  /**
   * Seals what a dead writer left open and, with `end`, ends the recording with what it has. The caller holds the
   * recording's lock. Answers the journal after that.
   */
  async settle(id: string, end: boolean): Promise<{ seals: Seal[]; end: End | null }> {
    const writer = await this.write(id);
    try {
      await writer.sealLeftovers();
      if (end && !writer.state.end) writer.end(endOf(writer.state.seals));
      return { seals: [...writer.state.seals], end: writer.state.end };
    } finally {
      writer.close();
    }
  }
}
