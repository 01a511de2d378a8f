import type { ChunkPages } from './bucket-view';
import type { ChunkSource } from './playback';
import type { Playable } from './playback-plan';

/** An address this close to its end is asked for anew. */
const MARGIN_MS = 15_000;

/** Fetches chunks from the bucket by presigned addresses, and asks for new ones as they run out. */
export class BucketChunks implements ChunkSource {
  readonly #pages: ChunkPages;
  readonly #recordingId: string;
  readonly #fresh = new Map<number, Playable['get']>();

  constructor(pages: ChunkPages, recordingId: string) {
    this.#pages = pages;
    this.#recordingId = recordingId;
  }

  /** @throws Error when the bucket refuses or does not answer. */
  async fetch(chunk: Playable, signal: AbortSignal, range?: readonly [number, number]): Promise<Uint8Array> {
    let answer = await this.#get(await this.#address(chunk, signal), signal, range);
    if (answer.status === 403) answer = await this.#get(await this.#renew(chunk, signal), signal, range);
    if (!answer.ok) throw new Error(`the bucket answered ${answer.status}`);
    const bytes = new Uint8Array(await answer.arrayBuffer());
    // A store that does not know ranges sends the whole.
    return range && answer.status === 200 ? bytes.subarray(range[0], range[1] + 1) : bytes;
  }

  #get(url: string, signal: AbortSignal, range?: readonly [number, number]): Promise<Response> {
    return fetch(url, { signal, headers: range ? { range: `bytes=${range[0]}-${range[1]}` } : {} });
  }

  async #address(chunk: Playable, signal: AbortSignal): Promise<string> {
    const get = this.#fresh.get(chunk.seq) ?? chunk.get;
    return Date.parse(get.expires_at) - MARGIN_MS > Date.now() ? get.url : this.#renew(chunk, signal);
  }

  async #renew({ seq }: Playable, signal: AbortSignal): Promise<string> {
    const { chunks } = await this.#pages.chunks(this.#recordingId, seq - 1, 1, signal);
    const get = chunks[0]?.seq === seq ? chunks[0].get : null;
    if (!get) throw new Error('the bucket does not hold it any more');
    this.#fresh.set(seq, get);
    return get.url;
  }
}
