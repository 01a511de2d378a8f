/** One recording as its page has it: capture runs here, everything else is the worker's. */
import { Capture, type CaptureOptions } from './capture';
import { SafereelError } from './errors';
import { RecordedTime } from './recorded-time';
import type { ToWorker } from './spool-protocol';
import { liveTracks, type PictureSize, type StoodIn, withStandIns } from './stand-ins';
import type { Recording, SourceEnded, TrackKind, WaitOptions } from './types';
import { until } from './waiting';

/** What a recording needs of the page's recorder. */
export interface RecordingLink {
  send(message: ToWorker): void;
  end(): Promise<void>;
  completed(signal: AbortSignal | undefined): Promise<void>;
  saveToFiles(options?: WaitOptions): Promise<File[]>;
  sourceEnded(event: Omit<SourceEnded, 'type' | 'recordingId'>): void;
  failed(error: unknown): void;
}

export type PageRecordingOptions = CaptureOptions & { whenSourceEnds: 'wait' | 'end' };

const KINDS: readonly TrackKind[] = ['video', 'audio'];

/** A track that its own page stopped tells nobody that it ended. */
const LOOK_MS = 1_000;

/** What a camera gives that does not say. */
const SIZE: PictureSize = { width: 640, height: 480 };

/** One run of MediaRecorder: the stream it was asked to record, with stand-ins for what that lacks. */
interface Run {
  capture: Capture;
  source: MediaStream;
  recorded: MediaStream;
  close(): void;
}

export class PageRecording implements Recording {
  readonly id: string;
  readonly #link: RecordingLink;
  readonly #options: PageRecordingOptions;
  readonly #time = new RecordedTime();
  /** What it began with, which every segment has. */
  readonly #kinds: readonly TrackKind[];
  readonly #size: PictureSize;
  readonly #ended: Promise<void>;
  #settle: (ended: Promise<void>) => void = () => undefined;
  #run: Run;
  /** One run is changed for another at a time. */
  #changes: Promise<void> = Promise.resolve();
  #isChanging = false;
  /** Kinds whose end was told. */
  #gone: ReadonlySet<TrackKind> = new Set();
  readonly #watched = new WeakSet<MediaStreamTrack>();
  #hasFailed = false;
  #isEnding = false;
  #isPaused = false;
  #look: ReturnType<typeof setInterval> | undefined;

  constructor(id: string, link: RecordingLink, stream: MediaStream, options: PageRecordingOptions) {
    this.id = id;
    this.#link = link;
    this.#options = options;
    this.#ended = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#ended.catch((error: unknown) => link.failed(error));
    this.#kinds = KINDS.filter((kind) => stream.getTracks().some((track) => track.kind === kind));
    const { width, height } = stream.getVideoTracks()[0]?.getSettings() ?? {};
    this.#size = width && height ? { width, height } : SIZE;
    this.#run = this.#newRun(stream, { stream, close: () => undefined });
  }

  start(startMs: number): void {
    this.#time.begin(startMs);
    this.#run.capture.start();
    this.#watch(this.#run.source);
    this.#look = setInterval(() => {
      if (!this.#isChanging && [...this.#goneFrom(this.#run.source)].some((kind) => !this.#gone.has(kind)))
        void this.#inTurn(() => this.#onSourceChanged());
    }, LOOK_MS);
  }

  pause(): void {
    if (this.#isEnding || this.#isPaused) return;
    this.#run.capture.pause();
    this.#time.pause();
    this.#setPaused(true);
  }

  resume(): void {
    if (this.#isEnding || !this.#isPaused) return;
    this.#run.capture.resume();
    this.#time.resume();
    this.#setPaused(false);
  }

  async continueWith(stream: MediaStream): Promise<void> {
    await this.#inTurn(async () => {
      await this.#change(stream);
      this.#gone = this.#goneFrom(stream);
    });
    this.#watch(stream);
  }

  stop(options: WaitOptions = {}): Promise<void> {
    if (!this.#isEnding) {
      this.#isEnding = true;
      const { capture } = this.#run;
      void capture.stop();
      // A change that is under way sees that it is too late.
      this.#settle(this.#inTurn(() => this.#end()));
    }
    return until(this.#ended, options.signal);
  }

  completed(signal?: AbortSignal): Promise<void> {
    return this.#link.completed(signal);
  }

  saveToFiles(options?: WaitOptions): Promise<File[]> {
    return this.#link.saveToFiles(options);
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#changes.then(work);
    this.#changes = done.catch(() => undefined);
    return done;
  }

  #newRun(source: MediaStream, { stream: recorded, close }: StoodIn): Run {
    const capture: Capture = new Capture(recorded, this.#options, this.#time, {
      slice: (blob, startMs, endMs) => this.#link.send({ type: 'slice', id: this.id, blob, startMs, endMs }),
      stopped: () => this.#onStopped(capture),
      failed: (error) => {
        this.#hasFailed = true;
        this.#link.failed(error);
      },
    });
    return { capture, source, recorded, close };
  }

  /** The next run, in the next segment. Where it cannot be, the present one goes on, or (if it was stopped already) none does. */
  async #change(source: MediaStream): Promise<void> {
    if (this.#isEnding) throw new SafereelError('recording_ended');
    if (this.#liveKinds(source).length === 0) throw new SafereelError('continue_unsupported', 'nothing comes from it');
    const stoodIn = await withStandIns(source, this.#kinds, this.#size);
    const before = this.#run;
    this.#isChanging = true;
    try {
      const next = this.#newContinuingRun(source, stoodIn);
      await before.capture.stop(); // Its last slice belongs to the segment before.
      if (this.#isEnding) throw new SafereelError('recording_ended');
      this.#link.send({ type: 'segment', id: this.id, startMs: this.#time.ms });
      this.#run = next;
      before.close();
      next.capture.start();
      if (this.#isPaused) next.capture.pause();
      this.#link.send({ type: 'waiting', id: this.id, waiting: false });
    } catch (error) {
      stoodIn.close();
      if (this.#run !== before) this.#link.send({ type: 'waiting', id: this.id, waiting: true });
      throw error;
    } finally {
      this.#isChanging = false;
    }
  }

  #newContinuingRun(source: MediaStream, stoodIn: StoodIn): Run {
    try {
      return this.#newRun(source, stoodIn);
    } catch (error) {
      throw new SafereelError('continue_unsupported', error);
    }
  }

  #watch(stream: MediaStream): void {
    for (const track of stream.getTracks()) {
      if (this.#watched.has(track)) continue;
      this.#watched.add(track);
      track.addEventListener('ended', () => void this.#inTurn(() => this.#onSourceChanged()), { once: true });
    }
  }

  #onStopped(capture: Capture): void {
    if (capture !== this.#run.capture || this.#isChanging || this.#isEnding) return;
    if (this.#hasFailed) void this.stop();
    else void this.#inTurn(() => this.#onSourceChanged());
  }

  /** Something of the source ended: what is left goes on at once, in a segment of its own. */
  async #onSourceChanged(): Promise<void> {
    if (this.#isEnding) return;
    const { source, recorded, capture } = this.#run;
    const left = this.#liveKinds(source);
    const gone = this.#goneFrom(source);
    const news = [...gone].filter((kind) => !this.#gone.has(kind));
    this.#gone = gone;
    for (const kind of news) this.#link.sourceEnded({ kind, left });
    if (this.#isEnding) return; // Whoever was told may have stopped it.
    if (left.length === 0) return this.#onSourceGone(news.length > 0);
    if (recorded.getTracks().some(({ readyState }) => readyState === 'ended')) return this.#goOnWithoutIt(source);
    if (capture.isOver) void this.stop(); // For a reason that it did not tell.
  }

  async #goOnWithoutIt(source: MediaStream): Promise<void> {
    try {
      await this.#change(source);
    } catch (error) {
      if (!this.#isEnding) this.#link.failed(error);
    }
  }

  /** Nothing comes any more: the segment is closed, and the next device begins another. */
  async #onSourceGone(isNew: boolean): Promise<void> {
    if (!isNew) return;
    this.#isChanging = true;
    await this.#run.capture.stop();
    this.#isChanging = false;
    this.#run.close();
    if (this.#options.whenSourceEnds === 'end') void this.stop();
    else this.#link.send({ type: 'waiting', id: this.id, waiting: true });
  }

  async #end(): Promise<void> {
    clearInterval(this.#look);
    await this.#run.capture.stop();
    this.#run.close();
    await this.#link.end();
  }

  #liveKinds(stream: MediaStream): TrackKind[] {
    return this.#kinds.filter((kind) => liveTracks(stream, kind).length > 0);
  }

  #goneFrom(stream: MediaStream): ReadonlySet<TrackKind> {
    return new Set(this.#kinds.filter((kind) => liveTracks(stream, kind).length === 0));
  }

  #setPaused(paused: boolean): void {
    this.#isPaused = paused;
    this.#link.send({ type: 'paused', id: this.id, paused });
  }
}
