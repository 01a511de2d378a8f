/** The worker's inside: owner, spool, live recordings, and the uploading when this tab has that role. */
import { HttpControlPlane } from './control-plane';
import { NotDeleted } from './deletion';
import { Deletions } from './deletions';
import { asProblem, problemOf, SafereelError } from './errors';
import { FlushTimes } from './flush-times';
import { Inventory, viewOf } from './inventory';
import { LiveRecording } from './live';
import { type HeldLock, holdLock, lockNames, TabChannel, underLock } from './locks';
import { UploaderRole } from './role';
import { DEFAULT_MAX_CHUNK_BYTES } from './sealing';
import { lastOwner, openSpoolRoot, Spool } from './spool';
import type { BetweenTabs, FromWorker, Standing, ToWorker, WorkerOptions } from './spool-protocol';
import { credibleUsage } from './storage-estimate';
import { subjectOf, Tokens } from './token';
import type { OverQuota, Problem, RecordingDeleted, StorageReport } from './types';
import { Uploading } from './uploading';
import type { SpoolWriter } from './writer';

/** Ten updates a second look continuous and cost nothing. */
const UPDATE_MS = 100;

/** A just-killed writer's lock can outlive it for a moment. */
const RESUME_PATIENCE_MS = 2_000;

/** Space can become free without us: other origins' data, a deleted file. */
const STORAGE_REPORT_MS = 10_000;

type Begin = Extract<ToWorker, { type: 'begin' }>;

export class Host {
  readonly #post: (message: FromWorker) => void;
  readonly #tokens: Tokens;
  readonly #inventory: Inventory;
  readonly #flushes = new FlushTimes();
  readonly #live = new Map<string, { recording: LiveRecording; lock: HeldLock }>();
  readonly #stop = new AbortController();
  readonly #deletions: Deletions;
  #options: WorkerOptions | null = null;
  #spool: Spool | null = null;
  #tabs: TabChannel | null = null;
  #uploading: Uploading | null = null;
  #role: UploaderRole | null = null;
  #neighbour: Standing | null = null;
  #online = navigator.onLine;
  #storage: StorageReport = { persisted: null, usage: null, quota: null };
  #storageAt = Number.NEGATIVE_INFINITY;
  #foreignChunks = 0;
  #updateTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(post: (message: FromWorker) => void) {
    this.#post = post;
    this.#tokens = new Tokens((request) => post({ type: 'token_wanted', request }));
    this.#inventory = new Inventory(
      Date.now,
      (recordingId, chunk) => post({ type: 'chunk', recordingId, chunk }),
      () => this.#updateSoon(),
    );
    this.#deletions = new Deletions(this.#inventory, this.#live, this.#deletionsHost(), this.#stop.signal);
  }

  handle(message: ToWorker): void {
    switch (message.type) {
      case 'open':
        void this.#open(message.options);
        return;
      case 'token':
        this.#tokens.answered(message.request, message.token);
        return;
      case 'token_failed':
        this.#tokens.failed(message.request, message.reason);
        return;
      case 'begin':
        void this.#reply(message.request, () => this.#begin(message));
        return;
      case 'slice':
        this.#live.get(message.id)?.recording.slice(message.blob, message.startMs, message.endMs);
        return;
      case 'paused':
        this.#inventory.mark(message.id, { paused: message.paused });
        return;
      case 'end':
        void this.#reply(message.request, () => this.#end(message.id));
        return;
      case 'delete':
        void this.#reply(message.request, () => this.#deletions.delete(message));
        return;
      case 'give_up':
        this.#deletions.giveUp(message.request);
        return;
      case 'persisted':
        this.#storage = { ...this.#storage, persisted: message.persisted };
        this.#updateSoon();
        return;
      case 'retry':
        this.#wake(true);
        return;
      case 'online':
        this.#online = message.online;
        this.#updateSoon();
        if (message.online) this.#wake(false);
        return;
      case 'close':
        void this.#reply(message.request, () => this.#close());
        return;
    }
  }

  async #reply(request: number, work: () => Promise<FromWorker | undefined>): Promise<void> {
    try {
      this.#post((await work()) ?? { type: 'done', request });
    } catch (error) {
      const problem = error instanceof NotDeleted ? error.problem : asProblem(error, 'unexpected');
      this.#post({ type: 'failed', request, problem });
    }
  }

  async #open(options: WorkerOptions): Promise<void> {
    try {
      this.#options = options;
      const root = await openSpoolRoot();
      const owner = await this.#ownerOf(options, root);
      this.#tokens.expectedSubject = options.owner === null ? owner : null;
      const spool = await underLock(lockNames.identity(owner), () => Spool.open(root, owner));
      this.#spool = spool;
      this.#foreignChunks = await spool.foreignChunks();
      this.#tabs = new TabChannel(owner, (message) => this.#onTabMessage(message));
      await this.#refreshStorage();
      this.#role = new UploaderRole(owner, this.#roleEvents(spool, options), this.#stop.signal);
      await this.#role.seek();
      this.#update();
      this.#post({ type: 'ready', owner });
    } catch (error) {
      this.#post({ type: 'open_failed', problem: asProblem(error, 'opfs_unavailable') });
    }
  }

  async #ownerOf(options: WorkerOptions, root: FileSystemDirectoryHandle): Promise<string> {
    if (options.owner !== null) return options.owner;
    let reason: unknown = 'the token names no owner';
    try {
      const subject = subjectOf(await this.#tokens.get(null));
      if (subject !== null) return subject;
    } catch (error) {
      reason = error; // Offline most likely: whoever recorded here last records on.
    }
    const last = await lastOwner(root);
    if (last === null) throw new SafereelError('owner_unknown', reason);
    return last;
  }

  #newPlane({ endpoint }: WorkerOptions): HttpControlPlane {
    return new HttpControlPlane(endpoint, (refused) => this.#tokens.get(refused));
  }

  #newUploading(spool: Spool, options: WorkerOptions, signal: AbortSignal): Uploading {
    const plane = this.#newPlane(options);
    const { parallelPuts, resumeWindowMs } = options;
    return new Uploading(spool, this.#inventory, plane, this.#uploadingHost(), {
      parallelPuts,
      resumeWindowMs,
      signal,
    });
  }

  #roleEvents(spool: Spool, options: WorkerOptions) {
    return {
      taken: async (signal: AbortSignal) => {
        const uploading = this.#newUploading(spool, options, signal);
        this.#uploading = uploading;
        for (const { recording } of this.#live.values()) uploading.writing(recording.facts, recording.seals, true);
        await uploading.start();
        this.#tabs?.send({ type: 'who' });
      },
      lost: () => {
        this.#uploading = null;
      },
      alive: () => this.#update(),
      ask: () => this.#tabs?.send({ type: 'who' }),
      failed: (error: unknown) => this.#problem(asProblem(error, 'unexpected')),
    };
  }

  #opened(): { spool: Spool; options: WorkerOptions } {
    if (!this.#spool || !this.#options) throw new SafereelError('closed');
    return { spool: this.#spool, options: this.#options };
  }

  #uploadingHost() {
    return {
      isLiveHere: (id: string) => this.#live.has(id),
      storage: () => this.#refreshStorage(),
      recovered: (recordingId: string, chunks: number, bytes: number) =>
        this.#tell({ type: 'recovered', recordingId, chunks, bytes }),
      completed: (recordingId: string) => this.#tell({ type: 'completed', recordingId }),
      problem: (problem: Problem, id?: string) => this.#problem(problem, id),
      overQuota: (quota: OverQuota | null) => this.#tell({ type: 'over_quota', quota }),
      dropLive: (id: string) => this.#deletions.dropLive(id),
      askWriter: (id: string) => this.#tabs?.send({ type: 'deleted', id }),
      deleted: (id: string) => this.#deletions.onDeleted(id),
      limits: (id: string, bytes: number) => this.#live.get(id)?.recording.setMaxChunkBytes(bytes),
      freed: () => this.#onFreed(),
      standing: () => this.#updateSoon(),
    };
  }

  #deletionsHost() {
    return {
      plane: () => this.#newPlane(this.#opened().options),
      spool: () => this.#opened().spool,
      uploader: () => this.#uploading,
      toTabs: (message: BetweenTabs) => this.#tabs?.send(message),
      tell: (event: RecordingDeleted) => this.#tell(event),
      problem: (problem: Problem, id: string) => this.#problem(problem, id),
    };
  }

  async #begin(message: Begin): Promise<FromWorker> {
    const { spool, options } = this.#opened();
    const lock = await this.#lockRecording(message.id, message.resume);
    try {
      const writer = await this.#openWriter(spool, message);
      const { startMs } = writer.startSegment();
      const limits = {
        chunkBytes: options.chunkBytes,
        chunkMs: options.chunkMs,
        maxChunkBytes: DEFAULT_MAX_CHUNK_BYTES,
      };
      const recording = new LiveRecording(writer, limits, this.#liveEvents(message.id));
      this.#live.set(message.id, { recording, lock });
      this.#showWriting(recording);
      return { type: 'began', request: message.request, startMs };
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  async #lockRecording(id: string, resume: boolean): Promise<HeldLock> {
    const { spool } = this.#opened();
    const name = lockNames.recording(spool.owner, id);
    const signal = AbortSignal.timeout(RESUME_PATIENCE_MS);
    try {
      const lock = await holdLock(name, resume ? { signal } : { ifAvailable: true });
      if (lock) return lock;
    } catch (error) {
      throw new SafereelError('recording_not_resumable', error);
    }
    throw new SafereelError('recording_exists');
  }

  async #openWriter(spool: Spool, message: Begin): Promise<SpoolWriter> {
    const { id, mimeType, title, resume } = message;
    if (!resume) {
      const { owner, recorderId } = spool;
      return spool.create({ id, owner, recorderId, mimeType, title, startedAt: Date.now() });
    }
    const { completing, complete, discarded } = await spool.releases(id);
    if (completing || complete || discarded) throw new SafereelError('recording_not_resumable');
    const writer = await spool.write(id);
    try {
      await writer.sealLeftovers();
      return writer;
    } catch (error) {
      writer.close();
      throw error;
    }
  }

  #showWriting(recording: LiveRecording): void {
    const { facts, seals } = recording;
    const entry = this.#inventory.open(facts, { live: true, end: null });
    for (const seal of seals) {
      if (!entry.chunks.has(seal.seq)) this.#inventory.put(facts.id, viewOf(seal, 'on_disk', Date.now()));
    }
    this.#uploading?.writing(facts, seals, true);
    this.#tabs?.send({ type: 'writing', facts, seals: [...seals] });
  }

  #liveEvents(id: string) {
    let troubled = false;
    return {
      flushed: (
        chunk: { seq: number; segment: number; startMs: number; size: number; endMs: number },
        bytes: number,
        flushMs: number,
      ) => {
        const { seq, segment, startMs, size, endMs } = chunk;
        this.#flushes.add(flushMs);
        const durationMs = Math.max(0, endMs - startMs);
        const times = { writing: Date.now() };
        this.#inventory.put(id, {
          seq,
          segment,
          state: 'writing',
          size,
          sha256: '',
          startMs,
          durationMs,
          times,
          resent: 0,
        });
        this.#post({ type: 'flushed', recordingId: id, seq, segment, bytes, flushMs });
      },
      sealed: (seal: Parameters<typeof viewOf>[0]) => {
        this.#inventory.put(id, viewOf(seal, 'on_disk', Date.now()));
        this.#uploading?.sealed(id, seal);
        this.#tabs?.send({ type: 'sealed', id, seal });
      },
      trouble: (problem: Problem | null) => {
        if (problem) this.#inventory.mark(id, { problem });
        else if (troubled) this.#inventory.mark(id, { problem: undefined });
        troubled = problem !== null;
        if (problem) this.#problem(problem, id);
      },
    };
  }

  async #end(id: string): Promise<undefined> {
    const live = this.#live.get(id);
    if (!live) return;
    const end = await live.recording.end();
    live.lock.release();
    this.#live.delete(id);
    this.#inventory.mark(id, { live: false, paused: false, end });
    this.#uploading?.ended(id, end);
    this.#tabs?.send({ type: 'ended', id, end });
    this.#update();
  }

  async #close(): Promise<undefined> {
    await Promise.all([...this.#live.keys()].map((id) => this.#end(id)));
    this.#stop.abort(new SafereelError('closed'));
    clearTimeout(this.#updateTimer);
    this.#tabs?.close();
  }

  #wake(refused: boolean): void {
    for (const { recording } of this.#live.values()) recording.wake();
    if (this.#uploading) this.#uploading.wake(refused);
    else this.#tabs?.send({ type: 'wake' });
  }

  #onFreed(): void {
    for (const { recording } of this.#live.values()) recording.wake();
  }

  #onTabMessage(message: BetweenTabs): void {
    switch (message.type) {
      case 'who':
        for (const { recording } of this.#live.values()) {
          this.#tabs?.send({ type: 'writing', facts: recording.facts, seals: [...recording.seals] });
        }
        if (this.#uploading)
          this.#tabs?.send({
            type: 'changes',
            recordings: this.#inventory.takeDeltas(true),
            standing: this.#standing(),
          });
        return;
      case 'writing':
        this.#uploading?.writing(message.facts, message.seals, false);
        return;
      case 'sealed':
        this.#uploading?.sealed(message.id, message.seal);
        return;
      case 'ended':
        this.#uploading?.ended(message.id, message.end);
        return;
      case 'changes':
        this.#onNeighbourChanges(message);
        return;
      case 'deleted':
        void this.#deletions.onDeletedElsewhere(message.id);
        return;
      case 'wake':
        this.#uploading?.wake(true);
        return;
    }
  }

  #onNeighbourChanges(message: Extract<BetweenTabs, { type: 'changes' }>): void {
    if (this.#uploading) return;
    this.#neighbour = message.standing;
    this.#role?.heard();
    let released = false;
    for (const delta of message.recordings) {
      if (this.#deletions.wasTold(delta.id)) continue;
      const wasComplete = this.#inventory.get(delta.id)?.complete ?? false;
      if (delta.gone && !this.#live.has(delta.id)) this.#deletions.onDeleted(delta.id);
      this.#inventory.applyRemote(delta, this.#live.has(delta.id));
      if (delta.head?.complete && !wasComplete) this.#tell({ type: 'completed', recordingId: delta.id });
      released ||= delta.chunks.some(({ state }) => state === 'released');
    }
    if (released) this.#onFreed();
    this.#updateSoon();
  }

  #problem(problem: Problem, recordingId?: string): void {
    this.#tell(recordingId ? { type: 'problem', recordingId, problem } : { type: 'problem', problem });
  }

  /** Whoever hears of an event finds it in the snapshot already. */
  #tell(message: FromWorker): void {
    this.#update();
    this.#post(message);
  }

  #updateSoon(): void {
    this.#updateTimer ??= setTimeout(() => this.#update(), UPDATE_MS);
  }

  /** Tells the page, and the other tabs when this one uploads, what changed. */
  #update(): void {
    clearTimeout(this.#updateTimer);
    this.#updateTimer = undefined;
    if (!this.#spool || this.#stop.signal.aborted) return;
    const recordings = this.#inventory.takeDeltas();
    const standing = this.#standing();
    this.#post({ type: 'changes', recordings, standing });
    if (this.#uploading) this.#tabs?.send({ type: 'changes', recordings, standing });
    if (Date.now() - this.#storageAt > STORAGE_REPORT_MS) void this.#refreshStorage();
    if (standing.uploadRate !== null) this.#updateTimer ??= setTimeout(() => this.#update(), 10 * UPDATE_MS);
  }

  #standing(): Standing {
    const uploader = this.#uploading?.uploader;
    const connection = uploader?.connection(this.#online) ?? {
      connection: this.#neighbour?.connection ?? (this.#online ? 'online' : 'offline'),
      retryAt: this.#neighbour?.retryAt ?? null,
    };
    return {
      owner: this.#spool?.owner ?? '',
      ...connection,
      storage: this.#storage,
      foreignChunks: this.#foreignChunks,
      uploadingNow: uploader?.uploadingNow ?? this.#neighbour?.uploadingNow ?? 0,
      uploadRate: uploader ? uploader.rate : (this.#neighbour?.uploadRate ?? null),
      flush: this.#flushes.summary(),
      overQuota: this.#uploading ? (uploader?.overQuota ?? null) : (this.#neighbour?.overQuota ?? null),
    };
  }

  async #refreshStorage(): Promise<StorageReport> {
    this.#storageAt = Date.now();
    try {
      const [persisted, estimate] = await Promise.all([navigator.storage.persisted(), navigator.storage.estimate()]);
      // How much other owners' chunks take is not known.
      const held = this.#foreignChunks > 0 ? null : this.#inventory.bytesHeld();
      this.#storage = {
        persisted: persisted || this.#storage.persisted,
        usage: credibleUsage(estimate, held),
        quota: estimate.quota ?? null,
      };
    } catch (error) {
      // Some browsers tell workers nothing: null says so in the report, and no decision rests on it.
      this.#storage = { ...this.#storage, usage: null, quota: null };
      if (!(error instanceof TypeError || error instanceof DOMException)) this.#problem(problemOf('unexpected', error));
    }
    return this.#storage;
  }
}
