/** The worker's inside: owner, spool, live recordings, and the uploading when this tab has that role. */
import { HttpControlPlane } from './control-plane';
import { Deletions } from './deletions';
import { asTrouble, Failure, type Trouble } from './failure';
import { Files } from './files';
import { Inventory } from './inventory';
import type { End, RecordingFacts, Seal } from './journal';
import { keepLimit } from './keeping';
import { freeAllKept } from './kept-files';
import { lockNames, TabChannel, underLock } from './locks';
import { Reserve } from './reserve';
import { UploaderRole } from './role';
import { heldFiles, type Unsealed } from './saving';
import { Spool } from './spool';
import type { BetweenTabs, FromWorker, Standing, ToWorker, WorkerOptions } from './spool-protocol';
import { lastOwner, openSpoolRoot } from './spool-root';
import { Storage } from './storage';
import { subjectOf, Tokens } from './token';
import type { KeptCopies, OverQuota, RecordingDeleted } from './types';
import { Uploading } from './uploading';
import { Writing } from './writing';

/** Ten updates a second look continuous and cost nothing. */
const UPDATE_MS = 100;

/** Where freeing kept copies did not help it is not tried in each update. */
const FREE_AGAIN_MS = 10_000;

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
  #root: FileSystemDirectoryHandle | null = null;
  #reserve: Reserve | null = null;
  #tabs: TabChannel | null = null;
  #uploading: Uploading | null = null;
  #role: UploaderRole | null = null;
  #neighbour: Standing | null = null;
  #online = navigator.onLine;
  #foreignChunks = 0;
  #freedAt = Number.NEGATIVE_INFINITY;
  #freeing = false;
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
        this.#pauseFile(message.id, message.paused);
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
      this.#root = root;
      const makeRoom = () => this.#freeKept();
      this.#reserve = new Reserve(root, this.#storage, (problem) => this.#problem(problem), makeRoom);
      const owner = await this.#ownerOf(options, root);
      this.#tokens.expectedSubject = options.owner === null ? owner : null;
      const spool = await underLock(lockNames.identity(owner), () => Spool.open(root, owner));
      this.#spool = spool;
      this.#foreignChunks = await spool.foreignChunks();
      this.#tabs = new TabChannel(owner, (message) => this.#onTabMessage(message));
      await this.#storage.refresh();
      this.#role = new UploaderRole(owner, this.#roleEvents(spool, options), this.#stop.signal, options.takeOverMs);
      await this.#role.seek();
      this.#update();
      this.#post({ type: 'ready', owner });
    } catch (error) {
      this.#post({ type: 'open_failed', problem: asTrouble(error, 'opfs_unavailable') });
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
    if (last === null) throw new Failure('owner_unknown', reason);
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
      files: this.#files,
    });
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
      freeKept: () => this.#freeKept(),
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
      roomBytes: async () => {
        const { quota, usage } = await this.#storage.refresh();
        return quota === null || usage === null ? null : quota - usage;
      },
    };
  }

  #writingHost() {
    return {
      opened: () => this.#opened(),
      post: (message: FromWorker) => this.#post(message),
      makeRoom: async () => (await this.#freeKept()) || ((await this.#reserve?.giveUp()) ?? false),
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

  async #begin(message: Extract<ToWorker, { type: 'begin' }>): Promise<FromWorker> {
    const began = await this.#writing.begin(message);
    void this.#reserve?.setAside();
    return began;
  }

  /** Room is needed: spare copies go, all at once, of whoever. Answers whether that made any. */
  async #freeKept(): Promise<boolean> {
    if (!this.#root) return false;
    try {
      if ((await freeAllKept(this.#root)) === 0) return false;
    } catch (error) {
      this.#problem(asTrouble(error, 'releases_failed'));
      return false;
    }
    if (this.#uploading) void this.#uploading.onKeptFreed();
    else this.#tabs?.send({ type: 'kept_freed' });
    if (this.#neighbour) this.#neighbour = { ...this.#neighbour, kept: { chunks: 0, bytes: 0 } };
    await this.#storage.refresh();
    return true;
  }

  /** Where room is low, spare copies go before anybody is told. */
  #watchRoom(): void {
    const now = Date.now();
    if (this.#freeing) return;
    const mayHelp = this.#kept.chunks > 0 && now - this.#freedAt > FREE_AGAIN_MS;
    if (mayHelp && this.#storage.room(now).low) {
      this.#freedAt = now;
      this.#freeing = true;
      void this.#freeKept().then(() => {
        this.#freeing = false;
        this.#updateSoon();
      });
    } else this.#storage.warn(now);
  }

  get #kept(): KeptCopies {
    return this.#uploading?.kept.totals ?? this.#neighbour?.kept ?? { chunks: 0, bytes: 0 };
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

  #limitUploads(perSecond: number | null): void {
    this.#uploadLimit = perSecond;
    if (this.#uploading) this.#uploading.uploader.setLimit(perSecond);
    else this.#tabs?.send({ type: 'limit', perSecond });
    this.#updateSoon();
  }

  #pauseFile(id: string, paused: boolean): void {
    this.#files.pause(id, paused).catch((error: unknown) => this.#problem(asTrouble(error, 'unexpected'), id));
  }

  #onTabMessage(message: BetweenTabs): void {
    switch (message.type) {
      case 'who':
        for (const recording of this.#writing.recordings()) {
          this.#tabs?.send({ type: 'writing', facts: recording.facts, seals: [...recording.seals] });
        }
        this.#files.announce();
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
      case 'source':
        this.#files.given.take(message.id, message.file);
        return;
      case 'source_lost':
        void this.#files.sourceLost(message.id, message.problem, true);
        return;
      case 'pause_file':
        if (this.#uploading) this.#pauseFile(message.id, message.paused);
        return;
      case 'changes':
        this.#onNeighbourChanges(message);
        return;
      case 'kept_freed':
        void this.#uploading?.onKeptFreed();
        return;
      case 'deleted':
        void this.#deletions.onDeletedElsewhere(message.id);
        return;
      case 'wake':
        this.#uploading?.wake(true);
        return;
      case 'limit':
        if (this.#uploading) this.#limitUploads(message.perSecond);
        return;
    }
  }

  #onNeighbourChanges(message: Extract<BetweenTabs, { type: 'changes' }>): void {
    if (this.#uploading) return;
    this.#neighbour = message.standing;
    this.#uploadLimit = message.standing.uploadLimit; // Whoever takes over keeps to it.
    this.#role?.heard();
    let released = false;
    for (const delta of message.recordings) {
      if (this.#deletions.wasTold(delta.id)) continue;
      const wasComplete = this.#inventory.get(delta.id)?.complete ?? false;
      if (delta.gone && !this.#writing.live.has(delta.id)) this.#deletions.onDeleted(delta.id);
      this.#inventory.applyRemote(delta, this.#writing.live.has(delta.id));
      if (delta.head?.complete && !wasComplete) this.#tell({ type: 'completed', recordingId: delta.id });
      released ||= delta.chunks.some(({ state }) => state === 'released');
    }
    if (released) this.#writing.wake();
    this.#files.wake();
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
    if (this.#writing.live.size > 0) this.#watchRoom();
    const standing = this.#standing();
    this.#post({ type: 'changes', recordings, standing });
    if (this.#uploading) this.#tabs?.send({ type: 'changes', recordings, standing });
    if (this.#storage.isOld(Date.now())) void this.#storage.refresh();
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
      storage: this.#storage.report,
      room: this.#storage.room(Date.now()),
      foreignChunks: this.#foreignChunks,
      uploadingNow: uploader?.uploadingNow ?? this.#neighbour?.uploadingNow ?? 0,
      uploadRate: uploader ? uploader.rate : (this.#neighbour?.uploadRate ?? null),
      uploadLimit: this.#uploadLimit,
      flush: this.#writing.flushes.summary(),
      overQuota: this.#uploading ? (uploader?.overQuota ?? null) : (this.#neighbour?.overQuota ?? null),
      kept: this.#kept,
    };
  }
}
