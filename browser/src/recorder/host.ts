/** The worker's inside: owner, spool, live recordings, and the uploading when this tab has that role. */
import { HttpControlPlane } from './control-plane';
import { Deletions } from './deletions';
import { DeviceRoom } from './device-room';
import { asTrouble, Failure, type Trouble } from './failure';
import { Files } from './files';
import { Inventory } from './inventory';
import type { End, RecordingFacts, Seal } from './journal';
import { keepLimit } from './keeping';
import { lockNames, underLock } from './locks';
import { Neighbours } from './neighbours';
import { ownerOf } from './owner';
import { UploaderRole } from './role';
import { heldFiles, type Unsealed } from './saving';
import { Spool } from './spool';
import type { BetweenTabs, FromWorker, Standing, ToWorker, WorkerOptions } from './spool-protocol';
import { openSpoolRoot } from './spool-root';
import { Storage } from './storage';
import { Tokens } from './token';
import type { KeptCopies, OverQuota, RecordingDeleted } from './types';
import { Uploading } from './uploading';
import { Writing } from './writing';

/** Ten updates a second look continuous and cost nothing. */
const UPDATE_MS = 100;

export class Host {
  readonly #post: (message: FromWorker) => void;
  readonly #tokens: Tokens;
  readonly #inventory: Inventory;
  readonly #writing: Writing;
  readonly #storage: Storage;
  readonly #files: Files;
  readonly #stop = new AbortController();
  readonly #deletions: Deletions;
  #options: WorkerOptions | null = null;
  #spool: Spool | null = null;
  #room: DeviceRoom | null = null;
  #tabs: Neighbours | null = null;
  #uploading: Uploading | null = null;
  #role: UploaderRole | null = null;
  #online = navigator.onLine;
  #foreignChunks = 0;
  #uploadLimit: number | null = null;
  #updateTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(post: (message: FromWorker) => void) {
    this.#post = post;
    this.#tokens = new Tokens((request) => post({ type: 'token_wanted', request }));
    this.#inventory = new Inventory(
      Date.now,
      (recordingId, chunk) => {
        post({ type: 'chunk', recordingId, chunk });
        this.#files.onChunk(recordingId, chunk);
      },
      () => this.#updateSoon(),
    );
    this.#writing = new Writing(this.#inventory, this.#writingHost());
    // How much other owners' chunks take is not known.
    const held = () => (this.#foreignChunks > 0 ? null : this.#inventory.bytesHeld() + this.#kept.bytes);
    this.#storage = new Storage(held, (problem) => this.#problem(problem));
    this.#files = new Files(this.#inventory, this.#filesHost(), this.#stop.signal);
    const written = {
      get: (id: string) => this.#writing.live.get(id) ?? this.#files.get(id),
      delete: (id: string) => this.#writing.live.delete(id) || this.#files.letGo(id),
    };
    this.#deletions = new Deletions(this.#inventory, written, this.#deletionsHost(), this.#stop.signal);
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
        this.#writing.live.get(message.id)?.recording.slice(message.blob, message.startMs, message.endMs);
        return;
      case 'segment':
        this.#writing.live.get(message.id)?.recording.segment(message.startMs);
        return;
      case 'waiting':
        this.#inventory.mark(message.id, { waiting: message.waiting });
        return;
      case 'paused':
        this.#inventory.mark(message.id, { paused: message.paused });
        return;
      case 'end':
        void this.#reply(message.request, () => this.#end(message.id));
        return;
      case 'upload':
        void this.#reply(message.request, async () => {
          const { request } = message;
          return { type: 'uploading', request, ...(await this.#files.begin(message)) };
        });
        return;
      case 'pause_file':
        this.#files.pause(message.id, message.paused);
        return;
      case 'delete':
        void this.#reply(message.request, () => this.#deletions.delete(message));
        return;
      case 'save': {
        // In the same turn: what is not sealed yet must fit what is.
        const unsealed = this.#writing.live.get(message.id)?.recording.unsealed() ?? null;
        void this.#reply(message.request, () => this.#save(message, unsealed));
        return;
      }
      case 'give_up':
        this.#deletions.giveUp(message.request);
        return;
      case 'persisted':
        this.#storage.setPersisted(message.persisted);
        this.#updateSoon();
        return;
      case 'limit':
        this.#limitUploads(message.perSecond);
        return;
      case 'retry':
        this.#wake(true);
        return;
      case 'online':
        this.#online = message.online;
        this.#updateSoon();
        if (message.online) this.#wake(false);
        return;
      case 'visible':
        this.#lookAtRoom();
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
      this.#post({ type: 'failed', request, problem: asTrouble(error, 'unexpected') });
    }
  }

  async #open(options: WorkerOptions): Promise<void> {
    try {
      this.#options = options;
      this.#uploadLimit = options.maxUploadBytesPerSecond;
      const root = await openSpoolRoot();
      this.#room = new DeviceRoom(root, this.#storage, this.#roomHost());
      const owner = options.owner ?? (await ownerOf(this.#tokens, root));
      this.#tokens.expectedSubject = options.owner === null ? owner : null;
      const spool = await underLock(lockNames.identity(owner), () => Spool.open(root, owner));
      this.#spool = spool;
      this.#foreignChunks = await spool.foreignChunks();
      this.#tabs = new Neighbours(owner, this.#neighboursHost());
      await this.#storage.refresh();
      this.#role = new UploaderRole(owner, this.#roleEvents(spool, options), this.#stop.signal, options.takeOverMs);
      await this.#role.seek();
      this.#update();
      this.#post({ type: 'ready', owner });
    } catch (error) {
      this.#post({ type: 'open_failed', problem: asTrouble(error, 'opfs_unavailable') });
    }
  }

  #newPlane({ endpoint }: WorkerOptions): HttpControlPlane {
    return new HttpControlPlane(endpoint, (refused) => this.#tokens.get(refused));
  }

  #newUploading(spool: Spool, options: WorkerOptions, signal: AbortSignal): Uploading {
    const more = { ...options, signal, files: this.#files };
    return new Uploading(spool, this.#inventory, this.#newPlane(options), this.#uploadingHost(), more);
  }

  #roleEvents(spool: Spool, options: WorkerOptions) {
    return {
      taken: async (signal: AbortSignal) => {
        const uploading = this.#newUploading(spool, options, signal);
        this.#uploading = uploading;
        uploading.uploader.setLimit(this.#uploadLimit);
        for (const recording of this.#writing.recordings()) uploading.writing(recording.facts, recording.seals, true);
        this.#files.announce();
        await uploading.start();
        this.#tabs?.send({ type: 'who' });
      },
      lost: () => {
        this.#uploading = null;
      },
      alive: () => this.#update(),
      ask: () => this.#tabs?.send({ type: 'who' }),
      failed: (error: unknown) => this.#problem(asTrouble(error, 'unexpected')),
    };
  }

  #opened(): { spool: Spool; options: WorkerOptions } {
    if (!this.#spool || !this.#options) throw new Failure('closed');
    return { spool: this.#spool, options: this.#options };
  }

  #uploadingHost() {
    return {
      isLiveHere: (id: string) => this.#writing.live.has(id) || this.#files.get(id) !== undefined,
      storage: () => this.#storage.refresh(),
      keepBytes: (keptBytes: number) => {
        const { keepReleasedBytes } = this.#opened().options;
        return keepLimit(keepReleasedBytes, this.#storage.report, keptBytes, this.#storage.room(Date.now()).low);
      },
      freeKept: async () => (await this.#room?.freeKept()) ?? false,
      recovered: (recordingId: string, chunks: number, bytes: number) =>
        this.#tell({ type: 'recovered', recordingId, chunks, bytes }),
      completed: (recordingId: string) => this.#tell({ type: 'completed', recordingId }),
      problem: (problem: Trouble, id?: string) => this.#problem(problem, id),
      overQuota: (quota: OverQuota | null) => this.#tell({ type: 'over_quota', quota }),
      dropLive: (id: string) => this.#deletions.dropLive(id),
      askWriter: (id: string) => this.#tabs?.send({ type: 'deleted', id }),
      deleted: (id: string) => this.#deletions.onDeleted(id),
      limits: (id: string, bytes: number) => this.#writing.live.get(id)?.recording.setMaxChunkBytes(bytes),
      freed: () => {
        this.#writing.wake();
        this.#files.wake();
        this.#lookAtRoom();
      },
      standing: () => this.#updateSoon(),
    };
  }

  #deletionsHost() {
    return {
      plane: () => this.#newPlane(this.#opened().options),
      spool: () => this.#opened().spool,
      uploader: () => this.#uploading,
      toTabs: (message: BetweenTabs) => this.#tabs?.send(message),
      tell: (event: RecordingDeleted) => {
        void this.#files.forget(event.recordingId, true);
        this.#tell(event);
      },
      problem: (problem: Trouble, id: string) => this.#problem(problem, id),
    };
  }

  #filesHost() {
    return {
      spool: () => this.#opened().spool,
      plane: () => this.#newPlane(this.#opened().options),
      uploading: () => this.#uploading,
      toTabs: (message: BetweenTabs) => this.#tabs?.send(message),
      problem: (problem: Trouble, id: string) => this.#problem(problem, id),
      copyBytes: () => this.#opened().options.fileCopyBytes,
      roomBytes: () => this.#storage.bytesLeft(),
    };
  }

  #writingHost() {
    return {
      opened: () => this.#opened(),
      post: (message: FromWorker) => this.#post(message),
      makeRoom: async () => (await this.#room?.makeRoom()) ?? false,
      recorded: (bytes: number) => this.#storage.recorded(Date.now(), bytes),
      problem: (problem: Trouble, id: string) => this.#problem(problem, id),
      writing: (facts: RecordingFacts, seals: readonly Seal[]) => {
        this.#uploading?.writing(facts, seals, true);
        this.#tabs?.send({ type: 'writing', facts, seals: [...seals] });
      },
      sealed: (id: string, seal: Seal) => {
        this.#uploading?.sealed(id, seal);
        this.#tabs?.send({ type: 'sealed', id, seal });
      },
      ended: (id: string, end: End) => {
        this.#uploading?.ended(id, end);
        this.#tabs?.send({ type: 'ended', id, end });
        this.#update();
      },
    };
  }

  #roomHost() {
    return {
      keptChunks: () => this.#kept.chunks,
      keptFreed: () => {
        if (this.#uploading) void this.#uploading.onKeptFreed();
        else this.#tabs?.keptFreed();
      },
      problem: (problem: Trouble) => this.#problem(problem),
      standing: () => this.#updateSoon(),
    };
  }

  #neighboursHost() {
    return {
      inventory: this.#inventory,
      writing: this.#writing,
      files: this.#files,
      deletions: this.#deletions,
      uploading: () => this.#uploading,
      standing: () => this.#standing(),
      heard: (standing: Standing) => {
        this.#uploadLimit = standing.uploadLimit; // Whoever takes over keeps to it.
        this.#role?.heard();
      },
      limitUploads: (perSecond: number | null) => this.#limitUploads(perSecond),
      tell: (message: FromWorker) => this.#tell(message),
      updateSoon: () => this.#updateSoon(),
    };
  }

  async #begin(message: Extract<ToWorker, { type: 'begin' }>): Promise<FromWorker> {
    const began = await this.#writing.begin(message);
    void this.#room?.setAside();
    return began;
  }

  get #kept(): KeptCopies {
    return this.#uploading?.kept.totals ?? this.#tabs?.standing?.kept ?? { chunks: 0, bytes: 0 };
  }

  async #save({ id, request }: Extract<ToWorker, { type: 'save' }>, unsealed: Unsealed | null): Promise<FromWorker> {
    return { type: 'saved', request, files: await heldFiles(this.#opened().spool, id, unsealed) };
  }

  async #end(id: string): Promise<undefined> {
    await this.#writing.end(id);
  }

  async #close(): Promise<undefined> {
    await this.#writing.endAll();
    await this.#files.close();
    this.#stop.abort(new Failure('closed'));
    clearTimeout(this.#updateTimer);
    this.#tabs?.close();
  }

  #wake(refused: boolean): void {
    this.#writing.wake();
    if (this.#uploading) this.#uploading.wake(refused);
    else this.#tabs?.send({ type: 'wake' });
  }

  /** Chunks went, or somebody came to look: there may be more room than was told last. */
  #lookAtRoom(): void {
    this.#room?.hope();
    void this.#storage.refresh().then(() => this.#updateSoon());
  }

  #limitUploads(perSecond: number | null): void {
    this.#uploadLimit = perSecond;
    if (this.#uploading) this.#uploading.uploader.setLimit(perSecond);
    else this.#tabs?.send({ type: 'limit', perSecond });
    this.#updateSoon();
  }

  #problem(problem: Trouble, recordingId?: string): void {
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
    const isIdle = this.#writing.live.size === 0;
    if (!isIdle) this.#room?.watch(Date.now());
    this.#room?.lookAgain(Date.now(), isIdle);
    const standing = this.#standing();
    this.#post({ type: 'changes', recordings, standing });
    if (this.#uploading) this.#tabs?.send({ type: 'changes', recordings, standing });
    if (this.#storage.isOld(Date.now())) void this.#storage.refresh().then(() => this.#updateSoon());
    if (standing.uploadRate !== null) this.#updateTimer ??= setTimeout(() => this.#update(), 10 * UPDATE_MS);
  }

  #standing(): Standing {
    const uploader = this.#uploading?.uploader;
    const connection = uploader?.connection(this.#online) ?? {
      connection: this.#tabs?.standing?.connection ?? (this.#online ? 'online' : 'offline'),
      retryAt: this.#tabs?.standing?.retryAt ?? null,
    };
    return {
      owner: this.#spool?.owner ?? '',
      ...connection,
      storage: this.#storage.report,
      room: this.#storage.room(Date.now()),
      foreignChunks: this.#foreignChunks,
      uploadingNow: uploader?.uploadingNow ?? this.#tabs?.standing?.uploadingNow ?? 0,
      uploadRate: uploader ? uploader.rate : (this.#tabs?.standing?.uploadRate ?? null),
      uploadLimit: this.#uploadLimit,
      flush: this.#writing.flushes.summary(),
      overQuota: this.#uploading ? (uploader?.overQuota ?? null) : (this.#tabs?.standing?.overQuota ?? null),
      kept: this.#kept,
    };
  }
}
