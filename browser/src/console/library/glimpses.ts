import type { BucketView } from '../bucket-view';
import { BucketChunks } from '../chunk-fetch';
import { levelOf } from '../level';
import { playableOf } from '../playback-plan';

/** How a recording begins: its first picture, as an address, or how loud its first seconds are, from 0 to 1. */
export type Glimpse = { kind: 'picture'; url: string } | { kind: 'sound'; levels: readonly number[] };

/** The first picture of a large camera, or half a minute of sound; all that is fetched of a recording. */
const BYTES = 256 * 1024;
/** Two at a time: the list itself, and what is being sent, come first. */
const AT_ONCE = 2;
/** A few kB each; the list is rarely scrolled further back. */
const KEPT = 500;
/** A browser that cannot make anything of the bytes does not always say so. */
const PATIENCE_MS = 8_000;
/** Twice what is shown, for dense screens. */
const WIDTH = 112;
const HEIGHT = 80;
const BARS = 24;

/** Looks into recordings for the list, each once; nothing of it outlives the page. */
export class Glimpses {
  readonly #bucket: BucketView;
  readonly #look: typeof lookInto;
  readonly #known = new Map<string, Glimpse | null>();
  readonly #waiting: (() => void)[] = [];
  #looking = 0;

  constructor(bucket: BucketView, look: typeof lookInto = lookInto) {
    this.#bucket = bucket;
    this.#look = look;
  }

  /** What is known already; undefined where nobody has looked. */
  known(id: string): Glimpse | null | undefined {
    return this.#known.get(id);
  }

  /** Null where there is nothing to see: not in the bucket yet, or nothing that this browser can show. @throws its reason when `signal` aborts. */
  async glimpse(id: string, mimeType: string, signal: AbortSignal): Promise<Glimpse | null> {
    await this.#turn(signal);
    try {
      const known = this.#known.get(id);
      if (known !== undefined) return known;
      const seen = await this.#look(this.#bucket, id, mimeType, signal);
      if (seen !== 'later') this.#keep(id, seen);
      return seen === 'later' ? null : seen;
    } finally {
      this.#looking -= 1;
      this.#waiting.shift()?.();
    }
  }

  async #turn(signal: AbortSignal): Promise<void> {
    while (this.#looking >= AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    if (signal.aborted) {
      this.#waiting.shift()?.();
      throw signal.reason;
    }
    this.#looking += 1;
  }

  #keep(id: string, seen: Glimpse | null): void {
    this.#known.set(id, seen);
    const oldest = this.#known.size > KEPT ? this.#known.keys().next().value : undefined;
    if (oldest !== undefined) this.#known.delete(oldest);
  }
}

/** `later`: the beginning is not in the bucket, or could not be fetched. */
async function lookInto(
  bucket: BucketView,
  id: string,
  mimeType: string,
  signal: AbortSignal,
): Promise<Glimpse | null | 'later'> {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    const { chunks } = await bucket.chunks(id, -1, 1, signal);
    const first = playableOf(chunks).find(({ seq }) => seq === 0);
    if (!first) return 'later';
    const range = [0, Math.min(BYTES, first.size) - 1] as const;
    bytes = (await new BucketChunks(bucket, id).fetch(first, signal, range)) as Uint8Array<ArrayBuffer>;
  } catch {
    signal.throwIfAborted();
    return 'later'; // A picture in a list is worth no notice: what is wrong is told by the list itself.
  }
  return mimeType.startsWith('audio/') ? soundOf(bytes) : pictureOf(new Blob([bytes], { type: mimeType }));
}

async function soundOf(bytes: Uint8Array<ArrayBuffer>): Promise<Glimpse | null> {
  try {
    const context = new OfflineAudioContext(1, 1, 48_000);
    const samples = (await context.decodeAudioData(bytes.slice().buffer)).getChannelData(0);
    return { kind: 'sound', levels: levelsIn(samples) };
  } catch {
    return null;
  }
}

/** Samples as so many bars. */
export function levelsIn(samples: Float32Array, bars = BARS): number[] {
  const each = Math.ceil(samples.length / bars);
  return Array.from({ length: bars }, (_, bar) => {
    const run = samples.subarray(bar * each, (bar + 1) * each);
    return Math.round(levelOf(run) * 100) / 100;
  });
}

/** The first picture of a film of which only the beginning is there. */
async function pictureOf(film: Blob): Promise<Glimpse | null> {
  const video = document.createElement('video');
  const address = URL.createObjectURL(film);
  try {
    video.muted = true;
    video.preload = 'auto';
    video.src = address;
    const shown = await new Promise<boolean>((resolve) => {
      video.onloadeddata = () => resolve(true);
      video.onerror = () => resolve(false);
      setTimeout(() => resolve(false), PATIENCE_MS);
    });
    return shown && video.videoWidth > 0 ? { kind: 'picture', url: drawn(video) } : null;
  } catch {
    return null;
  } finally {
    video.removeAttribute('src');
    video.load();
    URL.revokeObjectURL(address);
  }
}

/** The picture, cut to the shape of the list. */
function drawn(video: HTMLVideoElement): string {
  const canvas = document.createElement('canvas');
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  const { videoWidth, videoHeight } = video;
  const scale = Math.max(WIDTH / videoWidth, HEIGHT / videoHeight);
  const width = videoWidth * scale;
  const height = videoHeight * scale;
  canvas.getContext('2d')?.drawImage(video, (WIDTH - width) / 2, (HEIGHT - height) / 2, width, height);
  return canvas.toDataURL('image/jpeg', 0.75);
}
