/** MediaRecorder, thinly: slices with the recorded time they cover, and nothing of what happens to them. */
import { SafereelError } from './errors';

/** Half a second: what a crash can cost at most, at two flushes a second. */
const SLICE_MS = 500;

/** Safari emits empty blobs for small slices. */
const SAFARI_SLICE_MS = 2_000;

const VIDEO_TYPES = [
  'video/webm;codecs=vp9,opus',
  'video/webm;codecs=vp8,opus',
  'video/webm',
  'video/mp4;codecs=avc1.42E01E,mp4a.40.2',
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
  const known = stream.getVideoTracks().length > 0 ? VIDEO_TYPES : AUDIO_TYPES;
  const type = (wished ? [wished] : known).find(supported);
  if (!type) throw new SafereelError('no_supported_type');
  return type;
}

export function defaultSliceMs(userAgent: string = navigator.userAgent): number {
  return /^((?!chrome|android|firefox).)*safari/i.test(userAgent) ? SAFARI_SLICE_MS : SLICE_MS;
}

export class Capture {
  readonly #recorder: MediaRecorder;
  readonly #events: CaptureEvents;
  readonly #sliceMs: number;
  #elapsedMs = 0;
  #runningSince: number | null = null;
  #sliceStartMs = 0;

  /** @throws SafereelError `no_supported_type` when MediaRecorder refuses the stream. */
  constructor(stream: MediaStream, options: CaptureOptions, events: CaptureEvents) {
    const { mimeType, videoBitsPerSecond, audioBitsPerSecond } = options;
    this.#events = events;
    this.#sliceMs = options.sliceMs;
    try {
      this.#recorder = new MediaRecorder(stream, { mimeType, videoBitsPerSecond, audioBitsPerSecond });
    } catch (error) {
      throw new SafereelError('no_supported_type', error);
    }
    this.#recorder.ondataavailable = (event) => this.#onSlice(event.data);
    this.#recorder.onstop = () => this.#onStop();
    this.#recorder.onerror = (event) => events.failed((event as ErrorEvent).error ?? event.type);
  }

  get isPaused(): boolean {
    return this.#recorder.state === 'paused';
  }

  /** Begins at `startMs` of recorded time. @throws SafereelError `capture_failed`. */
  start(startMs: number): void {
    this.#elapsedMs = startMs;
    this.#sliceStartMs = startMs;
    try {
      this.#recorder.start(this.#sliceMs);
    } catch (error) {
      throw new SafereelError('capture_failed', error);
    }
    this.#runningSince = performance.now();
    document.addEventListener('visibilitychange', this.#onVisibility);
  }

  pause(): void {
    if (this.#recorder.state !== 'recording') return;
    // Without this, what was captured so far would wait in the browser's memory for as long as the pause lasts.
    this.#recorder.requestData();
    this.#recorder.pause();
    this.#elapsedMs = this.#recordedMs();
    this.#runningSince = null;
  }

  resume(): void {
    if (this.#recorder.state !== 'paused') return;
    this.#recorder.resume();
    this.#runningSince = performance.now();
  }

  stop(): void {
    if (this.#recorder.state !== 'inactive') this.#recorder.stop();
  }

  #recordedMs(): number {
    return this.#elapsedMs + (this.#runningSince === null ? 0 : performance.now() - this.#runningSince);
  }

  #onSlice(blob: Blob): void {
    const endMs = this.#recordedMs();
    if (blob.size > 0) this.#events.slice(blob, this.#sliceStartMs, endMs);
    this.#sliceStartMs = endMs;
  }

  #onStop(): void {
    document.removeEventListener('visibilitychange', this.#onVisibility);
    this.#elapsedMs = this.#recordedMs();
    this.#runningSince = null;
    this.#events.stopped();
  }

  /** A hidden page may be discarded soon: what the browser still buffers is asked for while there is time. */
  readonly #onVisibility = () => {
    if (document.visibilityState === 'hidden' && this.#recorder.state === 'recording') this.#recorder.requestData();
  };
}
