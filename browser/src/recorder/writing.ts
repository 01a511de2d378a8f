/** The recordings that this very worker writes: begun, resumed, ended, each under its lock. */
import { Failure, type Trouble } from './failure';
import { FlushTimes } from './flush-times';
import { type Inventory, viewOf } from './inventory';
import type { End, OpenChunk, RecordingFacts, Seal } from './journal';
import { LiveRecording } from './live';
import { type HeldLock, holdLock, lockNames } from './locks';
import { DEFAULT_MAX_CHUNK_BYTES } from './sealing';
import type { Spool } from './spool';
import type { FromWorker, ToWorker, WorkerOptions } from './spool-protocol';
import type { SpoolWriter } from './writer';

/** A just-killed writer's lock can outlive it for a moment. */
const RESUME_PATIENCE_MS = 2_000;

type Begin = Extract<ToWorker, { type: 'begin' }>;

/** The worker around it. */
export interface WritingHost {
  opened(): { spool: Spool; options: WorkerOptions };
  post(message: FromWorker): void;
  problem(problem: Trouble, id: string): void;
  /** The disk is full: frees what can be freed, and answers whether that may have made room. */
  makeRoom(): Promise<boolean>;
  /** So many bytes of a recording went to disk. */
  recorded(bytes: number): void;
  /** What whoever uploads, here or in another tab, has to know. */
  writing(facts: RecordingFacts, seals: readonly Seal[]): void;
  sealed(id: string, seal: Seal): void;
  ended(id: string, end: End): void;
}

export class Writing {
  readonly live = new Map<string, { recording: LiveRecording; lock: HeldLock }>();
  readonly flushes = new FlushTimes();
  readonly #inventory: Inventory;
  readonly #host: WritingHost;

  constructor(inventory: Inventory, host: WritingHost) {
    this.#inventory = inventory;
    this.#host = host;
  }

  recordings(): LiveRecording[] {
    return [...this.live.values()].map(({ recording }) => recording);
  }

  /** Space may have become free: what waits for it tries again. */
  wake(): void {
    for (const recording of this.recordings()) recording.wake();
  }

  async begin(message: Begin): Promise<FromWorker> {
    const { spool, options } = this.#host.opened();
    const lock = await this.#lock(spool, message.id, message.resume);
    try {
      const writer = await openWriter(spool, message);
      const { startMs } = writer.startSegment();
      const limits = {
        chunkBytes: options.chunkBytes,
        chunkMs: options.chunkMs,
        maxChunkBytes: DEFAULT_MAX_CHUNK_BYTES,
      };
      const recording = new LiveRecording(writer, limits, this.#liveEvents(message.id));
      this.live.set(message.id, { recording, lock });
      this.#show(recording);
      return { type: 'began', request: message.request, startMs };
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  async #lock(spool: Spool, id: string, resume: boolean): Promise<HeldLock> {
    const name = lockNames.recording(spool.owner, id);
    const signal = AbortSignal.timeout(RESUME_PATIENCE_MS);
    try {
      const lock = await holdLock(name, resume ? { signal } : { ifAvailable: true });
      if (lock) return lock;
    } catch (error) {
      throw new Failure('recording_not_resumable', error);
    }
    throw new Failure('recording_exists');
  }

  #show(recording: LiveRecording): void {
    const { facts, seals } = recording;
    const entry = this.#inventory.open(facts, { live: true, end: null });
    for (const seal of seals) {
      if (!entry.chunks.has(seal.seq)) this.#inventory.put(facts.id, viewOf(seal, 'on_disk', Date.now()));
    }
    this.#host.writing(facts, seals);
  }

  #liveEvents(id: string) {
    return {
      flushed: (chunk: OpenChunk & { size: number; endMs: number }, bytes: number, flushMs: number) =>
        this.#onFlushed(id, chunk, bytes, flushMs),
      sealed: (seal: Seal) => {
        this.#inventory.put(id, viewOf(seal, 'on_disk', Date.now()));
        this.#host.sealed(id, seal);
      },
      makeRoom: () => this.#host.makeRoom(),
      trouble: (problem: Trouble | null) => {
        this.#inventory.mark(id, { unwritten: problem ?? undefined });
        if (problem) this.#host.problem(problem, id);
      },
    };
  }

  #onFlushed(id: string, chunk: OpenChunk & { size: number; endMs: number }, bytes: number, flushMs: number): void {
    const { seq, segment, startMs, size, endMs } = chunk;
    this.flushes.add(flushMs);
    this.#host.recorded(bytes);
    const durationMs = Math.max(0, endMs - startMs);
    const times = { writing: Date.now() };
    const view = { seq, segment, state: 'writing' as const, size, sha256: '', startMs, durationMs, times, resent: 0 };
    this.#inventory.put(id, view);
    this.#host.post({ type: 'flushed', recordingId: id, seq, segment, bytes, flushMs });
  }

  async end(id: string): Promise<void> {
    const live = this.live.get(id);
    if (!live) return;
    const end = await live.recording.end();
    live.lock.release();
    this.live.delete(id);
    this.#inventory.mark(id, { live: false, paused: false, waiting: false, end });
    this.#host.ended(id, end);
  }

  async endAll(): Promise<void> {
    await Promise.all([...this.live.keys()].map((id) => this.end(id)));
  }
}

async function openWriter(spool: Spool, message: Begin): Promise<SpoolWriter> {
  const { id, mimeType, title, resume } = message;
  if (!resume) {
    const { owner, recorderId } = spool;
    return spool.create({ id, owner, recorderId, mimeType, title, startedAt: Date.now() });
  }
  const { completing, complete, discarded } = await spool.releases(id);
  if (completing || complete || discarded) throw new Failure('recording_not_resumable');
  const writer = await spool.write(id);
  try {
    await writer.sealLeftovers();
    return writer;
  } catch (error) {
    writer.close();
    throw error;
  }
}
