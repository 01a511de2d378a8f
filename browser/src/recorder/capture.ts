/** MediaRecorder, thinly: slices with the recorded time they cover, and nothing of what happens to them. */
import { SafereelError } from './errors';
import type { RecordedTime } from './recorded-time';
import type { TrackKind } from './types';

/** Half a second: what a crash can cost at most, at two flushes a second. */
const SLICE_MS = 500;

/** Browsers take some milliseconds. One that never says that it stopped must not keep a recording from being ended. */
const STOP_MS = 10_000;

/** A slice that comes after the word that it stopped does so within milliseconds; what is empty at its end waits for it so long. */
const LATE_MS = 500;

/** Safari emits empty blobs for small slices. */
const SAFARI_SLICE_MS = 2_000;

const VIDEO_TYPES = [
  'video/webm;codecs=vp9,opus',
  'video/webm;codecs=vp8,opus',
  'video/webm',
  'video/mp4;codecs=avc1.42E01E,mp4a.40.2',
  'video/mp4',
];
const SILENT_TYPES = [
  'video/webm;codecs=vp9',
  'video/webm;codecs=vp8',
  'video/webm',
  'video/mp4;codecs=avc1.42E01E',
  'video/mp4',
];
const AUDIO_TYPES = [
  'audio/webm;codecs=opus',
  'audio/webm',
  'audio/mp4;codecs=mp4a.40.2',
  'audio/mp4',
  'audio/ogg;codecs=opus',
];

export interface CaptureEvents {
  slice(blob: Blob, startMs: number, endMs: number): void;
  /** MediaRecorder is done: stopped by us, or because its tracks ended. All slices came before. */
  stopped(): void;
  failed(error: unknown): void;
}

export interface CaptureOptions {
  mimeType: string;
  sliceMs: number;
  videoBitsPerSecond: number | undefined;
  audioBitsPerSecond: number | undefined;
}

/** The type to record in: the one wished for, or the first known one that this browser supports for the stream. */
export function pickMimeType(
  stream: MediaStream,
  wished: string | undefined,
  supported: (type: string) => boolean = (type) => MediaRecorder.isTypeSupported(type),
): string {
  const pictured = stream.getAudioTracks().length > 0 ? VIDEO_TYPES : SILENT_TYPES;
  const known = stream.getVideoTracks().length > 0 ? pictured : AUDIO_TYPES;
  const type = (wished ? [wished] : known).find(supported);
  if (!type) throw new SafereelError('no_supported_type');
  return type;
}

const AUDIO_CODEC = /^(opus|vorbis|mp4a|flac|pcm)/i;

/**
 * The type without codecs of tracks that the stream does not have: Firefox 153, told of a codec for which there is no track, delivers
 * nothing and never stops (seen).
 */
export function narrowed(mimeType: string, kinds: readonly TrackKind[]): string {
  const [container = '', ...parameters] = mimeType.split(';').map((part) => part.trim());
  const codecs = parameters
    .filter((parameter) => parameter.startsWith('codecs='))
    .flatMap((parameter) => parameter.slice('codecs='.length).replaceAll('"', '').split(','))
    .map((codec) => codec.trim());
  const fitting = codecs.filter((codec) => kinds.includes(AUDIO_CODEC.test(codec) ? 'audio' : 'video'));
  return fitting.length === 0 || fitting.length === codecs.length
    ? mimeType
    : `${container};codecs=${fitting.join(',')}`;
}

export function defaultSliceMs(userAgent: string = navigator.userAgent): number {
  return /^((?!chrome|android|firefox).)*safari/i.test(userAgent) ? SAFARI_SLICE_MS : SLICE_MS;
}

export class Capture {
  readonly #recorder: MediaRecorder;
  readonly #events: CaptureEvents;
  readonly #sliceMs: number;
  readonly #time: RecordedTime;
  readonly #stopped: Promise<void>;
  #settleStopped: () => void = () => undefined;
  #sliceStartMs = 0;
  #over = false;
  #lastWasEmpty = false;
  #overdue: ReturnType<typeof setTimeout> | undefined;
  #late: ReturnType<typeof setTimeout> | undefined;

  /** @throws SafereelError `no_supported_type` when MediaRecorder refuses the stream. */
  constructor(stream: MediaStream, options: CaptureOptions, time: RecordedTime, events: CaptureEvents) {
    const { videoBitsPerSecond, audioBitsPerSecond } = options;
    const mimeType = narrowed(
      options.mimeType,
      stream.getTracks().map(({ kind }) => kind as TrackKind),
    );
    this.#events = events;
    this.#time = time;
    this.#stopped = new Promise((resolve) => {
      this.#settleStopped = resolve;
    });
    this.#sliceMs = options.sliceMs;
    try {
      this.#recorder = new MediaRecorder(stream, { mimeType, videoBitsPerSecond, audioBitsPerSecond });
    } catch (error) {
      throw new SafereelError('no_supported_type', error);
    }
    this.#recorder.ondataavailable = (event) => this.#onSlice(event.data);
    this.#recorder.onstop = () => this.#onLast();
    this.#recorder.onerror = (event) => events.failed((event as ErrorEvent).error ?? event.type);
  }

  /** No more comes of it. */
  get isOver(): boolean {
    return this.#recorder.state === 'inactive';
  }

  /** Begins at the present recorded time. @throws SafereelError `capture_failed`. */
  start(): void {
    this.#sliceStartMs = this.#time.ms;
    try {
      this.#recorder.start(this.#sliceMs);
    } catch (error) {
      this.#over = true; // Nothing will come of it.
      this.#settleStopped();
      throw new SafereelError('capture_failed', error);
    }
    document.addEventListener('visibilitychange', this.#onVisibility);
  }

  pause(): void {
    if (this.#recorder.state !== 'recording') return;
    // Without this, what was captured so far would wait in the browser's memory for as long as the pause lasts.
    this.#recorder.requestData();
    this.#recorder.pause();
  }

  resume(): void {
    if (this.#recorder.state === 'paused') this.#recorder.resume();
  }

  /** Resolves once its last slice was told, also where it stopped by itself. Only for one that was started. */
  stop(): Promise<void> {
    if (this.#recorder.state !== 'inactive') this.#recorder.stop();
    if (!this.#over)
      this.#overdue ??= setTimeout(() => {
        this.#events.failed(new SafereelError('capture_failed', 'it does not stop'));
        this.#onStop();
      }, STOP_MS);
    return this.#stopped;
  }

  #onSlice(blob: Blob): void {
    if (this.#over) return; // What follows belongs to another run by now.
    const endMs = this.#time.ms;
    if (blob.size > 0) this.#events.slice(blob, this.#sliceStartMs, endMs);
    this.#sliceStartMs = endMs;
    this.#lastWasEmpty = blob.size === 0;
    if (this.#late !== undefined && blob.size > 0) this.#onStop();
  }

  /** Firefox 153, stopped in the moment of a slice, tells an empty one, then that it stopped, and then the slice (seen). */
  #onLast(): void {
    if (this.#lastWasEmpty) this.#late ??= setTimeout(() => this.#onStop(), LATE_MS);
    else this.#onStop();
  }

  #onStop(): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#overdue);
    clearTimeout(this.#late);
    document.removeEventListener('visibilitychange', this.#onVisibility);
    this.#settleStopped();
    this.#events.stopped();
  }

  /** A hidden page may be discarded soon: what the browser still buffers is asked for while there is time. */
  readonly #onVisibility = () => {
    if (document.visibilityState === 'hidden' && this.#recorder.state === 'recording') this.#recorder.requestData();
  };
}
