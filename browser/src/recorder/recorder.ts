/** The SDK's front: one `Safereel` per page, which captures here and leaves everything else to its worker. */
import { defaultSliceMs, pickMimeType } from './capture';
import { asProblem, errorFrom, SafereelError, worded } from './errors';
import { reasonOf } from './failure';
import { DEFAULT_COPY_BYTES } from './file-plan';
import { PageFileUpload, progressBetween, unlessAborted } from './file-upload';
import { DEFAULT_KEEP_BYTES } from './keeping';
import { MOST_LANES } from './lanes';
import { applyChanges, EMPTY_SNAPSHOT } from './mirror';
import { PageRecording, type RecordingLink } from './page-recording';
import { DEFAULT_TAKE_OVER_MS } from './role';
import { DEFAULT_CHUNK_BYTES, DEFAULT_CHUNK_MS } from './sealing';
import type { ToWorker } from './spool-protocol';
import type {
  FileUpload,
  Recording,
  RecordOptions,
  Safereel,
  SafereelEvent,
  SafereelOptions,
  Snapshot,
  UploadFileOptions,
  WaitOptions,
} from './types';
import { uuidv7 } from './uuid';
import { until } from './waiting';
import { type Answer, type News, type Question, WorkerLink } from './worker-link';

/**
 * Starts the recorder for one owner on this page: opens the spool, takes up what an earlier visit left, sends it.
 * `ready()` rejects with a `SafereelError` when recording safely is impossible; on a server it does, and nothing else happens.
 * @throws RangeError for a limit of bytes a second that is none.
 */
export function createSafereel(options: SafereelOptions): Safereel {
  return new PageRecorder(options);
}

class PageRecorder implements Safereel {
  readonly #options: SafereelOptions;
  readonly #worker: WorkerLink | null;
  readonly #listeners = new Set<(event: SafereelEvent) => void>();
  readonly #recordings = new Map<string, PageRecording>();
  readonly #deleted = new Set<string>();
  readonly #ready: Promise<void>;
  #settleReady: { resolve: () => void; reject: (error: Error) => void } = {
    resolve: () => undefined,
    reject: () => undefined,
  };
  #snapshot: Snapshot = EMPTY_SNAPSHOT;
  #closing: Promise<void> | null = null;

  constructor(options: SafereelOptions) {
    this.#options = options;
    this.#ready = new Promise((resolve, reject) => {
      this.#settleReady = { resolve, reject };
    });
    // Whoever never asks `ready()` still gets the problem event; an unhandled rejection would only repeat it.
    this.#ready.catch(() => undefined);
    this.#worker = this.#startWorker();
    if (!this.#worker) {
      this.#settleReady.reject(new SafereelError('no_browser'));
      return;
    }
    this.#send({ type: 'open', options: this.#workerOptions() });
    addEventListener('online', this.#onOnline);
    addEventListener('offline', this.#onOnline);
    document.addEventListener('visibilitychange', this.#onVisible);
    // In parallel to the start: Firefox asks the person, and a recording must not wait for their answer.
    void this.persist();
  }

  #startWorker(): WorkerLink | null {
    if (typeof Worker === 'undefined') return null;
    return new WorkerLink(this.#options.workerUrl, {
      news: (message) => this.#onNews(message),
      failed: (error) => {
        this.#settleReady.reject(error);
        this.#emitProblem(error.problem);
      },
    });
  }

  snapshot(): Snapshot {
    return this.#snapshot;
  }

  subscribe(listener: (event: SafereelEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  ready(options: WaitOptions = {}): Promise<void> {
    return until(this.#ready, options.signal);
  }

  async record(stream: MediaStream, options: RecordOptions = {}): Promise<Recording> {
    await this.ready(options);
    options.signal?.throwIfAborted();
    if (this.#closing) throw new SafereelError('closed');
    const id = options.resume ?? uuidv7();
    const known = this.#snapshot.recordings.find((view) => view.id === id);
    // A recording has one type for all of its segments.
    const mimeType = pickMimeType(stream, known?.mimeType ?? options.mimeType);
    const recording = new PageRecording(id, this.#link(id), stream, {
      mimeType,
      sliceMs: this.#options.sliceMs ?? defaultSliceMs(),
      videoBitsPerSecond: options.videoBitsPerSecond,
      audioBitsPerSecond: options.audioBitsPerSecond,
      whenSourceEnds: options.whenSourceEnds ?? 'wait',
    });
    const resume = options.resume !== undefined;
    const beginning = this.#ask({ type: 'begin', id, mimeType, title: options.title ?? '', resume });
    const began = await until(beginning, options.signal).catch((error: unknown) => {
      // Given up: what begins all the same is ended at once.
      void beginning.then(
        () => this.#ask({ type: 'end', id }),
        () => undefined,
      );
      throw error;
    });
    this.#recordings.set(id, recording);
    await this.#startCapture(recording, began.type === 'began' ? began.startMs : 0, options.signal);
    return recording;
  }

  async #startCapture(recording: PageRecording, startMs: number, signal: AbortSignal | undefined): Promise<void> {
    try {
      signal?.throwIfAborted();
      recording.start(startMs);
    } catch (error) {
      this.#recordings.delete(recording.id);
      await this.#ask({ type: 'end', id: recording.id });
      throw error;
    }
  }

  delete(recordingId: string, options: WaitOptions = {}): Promise<void> {
    return this.#delete(recordingId, false, options.signal);
  }

  discardLocal(recordingId: string, options: WaitOptions = {}): Promise<void> {
    return this.#delete(recordingId, true, options.signal);
  }

  async #delete(id: string, localOnly: boolean, signal: AbortSignal | undefined): Promise<void> {
    await this.ready({ signal });
    signal?.throwIfAborted();
    if (this.#closing) throw new SafereelError('closed');
    await this.#ask({ type: 'delete', id, localOnly }, signal);
  }

  async uploadFile(file: File, options: UploadFileOptions = {}): Promise<FileUpload> {
    await this.#ready;
    const { signal, handle = null, resume = null, mimeType = null } = options;
    signal?.throwIfAborted();
    if (this.#closing) throw new SafereelError('closed');
    const asked = { id: uuidv7(), file, handle, resume, mimeType, title: options.title ?? '' };
    const begun = this.#ask({ type: 'upload', ...asked, again: options.again ?? false });
    const answer = await unlessAborted(begun, signal, (begunLate) => {
      if (begunLate.type === 'uploading' && !resume && !begunLate.already) this.#withdraw(begunLate.id);
    });
    if (answer.type !== 'uploading') throw new SafereelError('unexpected');
    return this.#fileUpload(answer.id, answer.already);
  }

  /** Nobody waits for it any more. Where it cannot be cancelled now, it goes on and is in the snapshot. */
  #withdraw(id: string): void {
    this.fileUpload(id)
      .cancel()
      .catch(() => undefined);
  }

  fileUpload(recordingId: string): FileUpload {
    return this.#fileUpload(recordingId, false);
  }

  #fileUpload(id: string, already: boolean): FileUpload {
    return new PageFileUpload(id, already, {
      progress: () => this.#snapshot.recordings.find((view) => view.id === id)?.file ?? null,
      pause: (paused) => this.#send({ type: 'pause_file', id, paused }),
      goOn: (file, handle) => this.uploadFile(file, { resume: id, handle }).then(() => undefined),
      delete: (signal) => this.#delete(id, false, signal),
      discardLocal: (signal) => this.#delete(id, true, signal),
      completed: (signal) => this.#completed(id, signal),
    });
  }

  async saveToFiles(recordingId: string, options: WaitOptions = {}): Promise<File[]> {
    await this.ready(options);
    if (this.#closing) throw new SafereelError('closed');
    const answer = await until(this.#ask({ type: 'save', id: recordingId }), options.signal);
    return answer.type === 'saved' ? answer.files : [];
  }

  retryNow(): void {
    this.#send({ type: 'retry' });
  }

  limitUploads(bytesPerSecond: number | null): void {
    this.#send({ type: 'limit', perSecond: validLimit(bytesPerSecond) });
  }

  close(options: WaitOptions = {}): Promise<void> {
    this.#closing ??= this.#close();
    return until(this.#closing, options.signal);
  }

  async #close(): Promise<void> {
    if (!this.#worker) return;
    removeEventListener('online', this.#onOnline);
    removeEventListener('offline', this.#onOnline);
    document.removeEventListener('visibilitychange', this.#onVisible);
    await Promise.all([...this.#recordings.values()].map((recording) => recording.stop()));
    await this.#ask({ type: 'close' });
    this.#worker.close();
    this.#listeners.clear();
  }

  #link(id: string): RecordingLink {
    return {
      send: (message) => this.#send(message),
      end: async () => {
        await this.#ask({ type: 'end', id });
        this.#recordings.delete(id);
      },
      completed: (signal) => this.#completed(id, signal),
      saveToFiles: (options) => this.saveToFiles(id, options),
      sourceEnded: (event) => this.#emit({ type: 'source_ended', recordingId: id, ...event }),
      failed: (error) => this.#emitProblem(asProblem(error, 'capture_failed'), id),
    };
  }

  #completed(id: string, signal: AbortSignal | undefined): Promise<void> {
    const isComplete = () => this.#snapshot.recordings.some((view) => view.id === id && view.state === 'complete');
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      if (isComplete()) return resolve();
      if (this.#deleted.has(id)) return reject(new SafereelError('recording_deleted'));
      const finish = (settle: () => void) => {
        unsubscribe();
        signal?.removeEventListener('abort', onAbort);
        settle();
      };
      const onAbort = () => finish(() => reject(signal?.reason));
      const unsubscribe = this.subscribe((event) => {
        if (event.type === 'deleted' && event.recordingId === id)
          finish(() => reject(new SafereelError('recording_deleted')));
        const named = event.type === 'completed' && event.recordingId === id;
        if (named || (event.type === 'snapshot' && isComplete())) finish(resolve);
      });
      signal?.addEventListener('abort', onAbort);
    });
  }

  #workerOptions() {
    const { endpoint, owner, chunkBytes, chunkMs, parallelPuts, resumeWindowMs } = this.#options;
    const { maxUploadBytesPerSecond, fileCopyBytes, keepReleasedBytes, takeOverMs } = this.#options;
    return {
      endpoint: endpoint || location.origin,
      owner: owner ?? null,
      chunkBytes: chunkBytes ?? DEFAULT_CHUNK_BYTES,
      chunkMs: chunkMs ?? DEFAULT_CHUNK_MS,
      parallelPuts: parallelPuts ?? MOST_LANES,
      resumeWindowMs: resumeWindowMs ?? 0,
      takeOverMs: takeOverMs ?? DEFAULT_TAKE_OVER_MS,
      maxUploadBytesPerSecond: validLimit(maxUploadBytesPerSecond ?? null),
      fileCopyBytes: fileCopyBytes ?? DEFAULT_COPY_BYTES,
      keepReleasedBytes: keepReleasedBytes ?? DEFAULT_KEEP_BYTES,
    };
  }

  async persist(): Promise<boolean | null> {
    let persisted: boolean | null = null;
    try {
      persisted = await navigator.storage.persist();
    } catch {
      // Not told by this browser: the report says null, which the page shows as unknown.
    }
    this.#send({ type: 'persisted', persisted });
    return persisted;
  }

  readonly #onOnline = () => this.#send({ type: 'online', online: navigator.onLine });
  readonly #onVisible = () => document.visibilityState === 'visible' && this.#send({ type: 'visible' });

  #send(message: ToWorker): void {
    this.#worker?.send(message);
  }

  #ask(question: Question, signal?: AbortSignal): Promise<Answer> {
    return this.#worker?.ask(question, signal) ?? Promise.reject(new SafereelError('no_browser'));
  }

  #onNews(message: News): void {
    switch (message.type) {
      case 'ready':
        this.#setSnapshot({ ...this.#snapshot, ready: true, owner: message.owner });
        this.#settleReady.resolve();
        return;
      case 'open_failed':
        this.#settleReady.reject(errorFrom(message.problem));
        this.#emitProblem(worded(message.problem));
        return;
      case 'token_wanted':
        void this.#answerToken(message.request);
        return;
      case 'changes':
        this.#onChanges(applyChanges(this.#snapshot, message.recordings, message.standing));
        return;
      case 'deleted':
        // Nothing of it is kept any more: the devices need not run for it.
        this.#deleted.add(message.recordingId);
        void this.#recordings.get(message.recordingId)?.stop();
        this.#recordings.delete(message.recordingId);
        this.#emit(message);
        return;
      case 'over_quota':
      case 'flushed':
      case 'chunk':
      case 'recovered':
      case 'completed':
        this.#emit(message);
        return;
      case 'problem':
        this.#emitProblem(worded(message.problem), message.recordingId);
        return;
    }
  }

  #onChanges(after: Snapshot): void {
    const before = this.#snapshot;
    this.#setSnapshot(after);
    for (const { recordingId, progress } of progressBetween(before, after)) {
      this.#emit({ type: 'file_progress', recordingId, progress });
    }
  }

  async #answerToken(request: number): Promise<void> {
    try {
      this.#send({ type: 'token', request, token: await this.#options.getToken() });
    } catch (error) {
      this.#send({ type: 'token_failed', request, reason: reasonOf(error) });
    }
  }

  #setSnapshot(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    this.#emit({ type: 'snapshot', snapshot });
  }

  #emitProblem(problem: ReturnType<typeof asProblem>, recordingId?: string): void {
    this.#emit(recordingId ? { type: 'problem', recordingId, problem } : { type: 'problem', problem });
  }

  #emit(event: SafereelEvent): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(event);
      } catch (error) {
        // A page's mistake must not stop a recording; the page hears of it the way it hears of all its mistakes.
        reportError(error);
      }
    }
  }
}

/** @throws RangeError: a limit of 0 would hold everything back for ever without anybody having said so. */
function validLimit(perSecond: number | null): number | null {
  if (perSecond === null || (Number.isFinite(perSecond) && perSecond > 0)) return perSecond;
  throw new RangeError('bytesPerSecond is a number above 0, or null for no limit');
}
