import { isFirefox } from './engine';
import { LongClusters, type Piece } from './long-clusters';
import type { MediaHeader } from './media-header';

/** What is left in the buffer behind what is being seen is let go a piece at a time: each removal costs the browser a search. */
const PIECE_S = 15;
/** Times are rounded on their way into the browser. */
const ROUNDED_S = 0.001;
/** So often room is made for one append before it is given up. */
const TRIES = 50;

/** One MediaSource in a video element: takes segments that have the same tracks and codecs. One thing at a time. */
export class Reel {
  readonly type: string;
  readonly #video: HTMLVideoElement;
  readonly #media: MediaSource;
  readonly #buffer: SourceBuffer;
  readonly #signal: AbortSignal;
  /** Of what is being appended. */
  #header: MediaHeader | null = null;
  /** What its clusters pass through; null where this browser takes them as they are. */
  #clusters: LongClusters | null = null;

  private constructor(video: HTMLVideoElement, media: MediaSource, type: string, signal: AbortSignal) {
    this.type = type;
    this.#video = video;
    this.#media = media;
    this.#signal = signal;
    this.#buffer = media.addSourceBuffer(type);
  }

  static isSupported(type: string): boolean {
    return typeof MediaSource !== 'undefined' && MediaSource.isTypeSupported(type);
  }

  /** Puts a new one into the element, in place of whatever it played. */
  static async open(video: HTMLVideoElement, type: string, seconds: number, signal: AbortSignal): Promise<Reel> {
    const media = new MediaSource();
    const url = URL.createObjectURL(media);
    video.src = url;
    await once(media, 'sourceopen', signal);
    URL.revokeObjectURL(url);
    const reel = new Reel(video, media, type, signal);
    // A recording's header names no length, which would make the timeline endless.
    media.duration = seconds;
    return reel;
  }

  get buffered(): TimeRanges {
    return this.#buffer.buffered;
  }

  /** Where what is buffered ends; 0 where nothing is. */
  get endS(): number {
    const { buffered } = this.#buffer;
    return buffered.length > 0 ? buffered.end(buffered.length - 1) : 0;
  }

  /** What is appended next does not go on where the last bytes ended. Its own times count from `offsetS`. */
  interrupt(offsetS: number): void {
    if (this.#media.readyState === 'open') this.#buffer.abort();
    this.#buffer.timestampOffset = offsetS;
    this.#buffer.appendWindowStart = 0;
    this.#clusters = this.#clustersAnew();
  }

  /** What is appended next has this header. */
  async begin(header: MediaHeader): Promise<void> {
    this.#header = header;
    this.#clusters = this.#clustersAnew();
    await this.#put(header.bytes);
  }

  #clustersAnew(): LongClusters | null {
    const picture = this.#header?.isWebm ? this.#header.picture : null;
    return picture !== null && isFirefox() ? new LongClusters(picture) : null;
  }

  /**
   * Takes nothing from before a time. Chromium 156 tells sound before a first whole picture as buffered, picture and all, and a seek into it
   * never ends (seen).
   */
  beginAt(seconds: number): void {
    this.#buffer.appendWindowStart = Math.max(0, seconds - ROUNDED_S);
  }

  /** Appends what goes on where the last bytes ended, or after an interruption can be decoded. @throws Error when it cannot be. */
  append(bytes: Uint8Array): Promise<void> {
    return this.#putAll(this.#clusters ? this.#clusters.push(bytes) : [{ bytes, isAnew: false }]);
  }

  /** Nothing goes on where the last bytes ended: appends what was held back of them. */
  finish(): Promise<void> {
    return this.#putAll(this.#clusters ? this.#clusters.end() : []);
  }

  async #putAll(pieces: readonly Piece[]): Promise<void> {
    for (const { bytes, isAnew } of pieces) {
      if (isAnew) this.#setUpAnew();
      await this.#put(bytes);
    }
  }

  #setUpAnew(): void {
    if (this.#media.readyState !== 'open') return;
    const { appendWindowStart } = this.#buffer;
    this.#buffer.abort();
    this.#buffer.appendWindowStart = appendWindowStart;
  }

  /** Appends, making room and trying again where the browser says that it holds too much. @throws Error when it cannot be decoded. */
  async #put(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return;
    for (let tries = 0; ; tries += 1) {
      try {
        this.#buffer.appendBuffer(bytes as Uint8Array<ArrayBuffer>);
        break;
      } catch (error) {
        if (!(error instanceof DOMException && error.name === 'QuotaExceededError') || tries > TRIES) throw error;
        await this.#remove(0, this.#video.currentTime - 5);
        await new Promise((resolve) => setTimeout(resolve, 1_000));
      }
    }
    await once(this.#buffer, 'updateend', this.#signal);
    if (this.#video.error) throw new Error(this.#video.error.message || 'The browser could not decode the recording.');
  }

  /** Lets go of what lies before a time. */
  async letGoBefore(seconds: number): Promise<void> {
    const { buffered } = this.#buffer;
    if (buffered.length > 0 && buffered.start(0) < seconds - PIECE_S) await this.#remove(0, seconds);
  }

  /** What was buffered elsewhere would be taken for the far side of a gap, and kept for nothing. */
  empty(): Promise<void> {
    return this.#remove(0, Number.POSITIVE_INFINITY);
  }

  /** Makes the timeline as long as that; never shorter than what is buffered. */
  lengthen(seconds: number): void {
    if (this.#media.readyState !== 'open' || this.#buffer.updating || this.#media.duration === seconds) return;
    try {
      this.#media.duration = seconds;
    } catch (error) {
      // One track already reaches further than both do, which alone is told: the timeline is long enough then.
      if (!(error instanceof DOMException && error.name === 'InvalidStateError')) throw error;
    }
  }

  /** Nothing comes after what is buffered. */
  end(): void {
    if (this.#media.readyState === 'open') this.#media.endOfStream();
  }

  async #remove(fromS: number, toS: number): Promise<void> {
    if (toS <= fromS) return;
    this.#buffer.remove(fromS, toS);
    await once(this.#buffer, 'updateend', this.#signal);
  }
}

function once(target: EventTarget, name: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const onAbort = () => reject(signal.reason);
    const onEvent = () => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    target.addEventListener(name, onEvent, { once: true, signal });
  });
}
