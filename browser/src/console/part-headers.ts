import { headerOf, type MediaHeader } from './media-header';
import type { ChunkSource } from './playback';
import type { Playable } from './playback-plan';
import type { Part } from './timeline';
import { lastBlockTime } from './webm';

/** Headers take less; those of MP4 of long films that were uploaded do not, and are then fetched with their chunk. */
const BYTES = 64 * 1024;
/** The last block of a part, some hundred blocks at the end of its last chunk, tells how long it is. */
const TAIL_BYTES = 512 * 1024;
/** A header that ends in none of so many chunks is none. */
const CHUNKS = 4;

/** The headers of a recording's parts, each fetched once. */
export class PartHeaders {
  readonly #mimeType: string;
  readonly #fetch: (chunk: Playable, range?: readonly [number, number]) => Promise<Uint8Array | null>;
  readonly #known = new Map<number, MediaHeader>();

  /** `fetch` answers null where it failed, after a while. */
  constructor(
    mimeType: string,
    fetch: (chunk: Playable, range?: readonly [number, number]) => Promise<Uint8Array | null>,
  ) {
    this.#mimeType = mimeType;
    this.#fetch = fetch;
  }

  /** Null where it could not be fetched, or (unless the recording is `complete`) has not arrived as a whole. */
  async of(part: Part, complete: boolean): Promise<MediaHeader | null> {
    const known = this.#known.get(part.segment);
    const first = part.chunks[0];
    if (known || !first) return known ?? null;
    const beginning = await this.#fetch(first, [0, Math.min(BYTES, first.size) - 1]);
    if (!beginning) return null;
    const header = headerOf(beginning, this.#mimeType) ?? (await this.#long(part.chunks.slice(0, CHUNKS), complete));
    if (header) this.#known.set(part.segment, header);
    return header;
  }

  /** That of a long film, or of a recorder that was stopped in the middle of it: Chromium's first slice is one byte. */
  async #long(chunks: readonly Playable[], complete: boolean): Promise<MediaHeader | null> {
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    let all = new Uint8Array();
    for (const chunk of chunks) {
      const bytes = await this.#fetch(chunk);
      if (!bytes) return null;
      pieces.push(bytes as Uint8Array<ArrayBuffer>);
      all = new Uint8Array(await new Blob(pieces).arrayBuffer());
      const header = headerOf(all, this.#mimeType);
      if (header) return header;
    }
    // What has no beginning that is known here is left to the browser.
    const rest = { bytes: all, length: all.length, type: this.#mimeType, isWebm: false, picture: null };
    return complete || chunks.length === CHUNKS ? rest : null;
  }
}

/** The end of a chunk, or all of it where its last block is not in that; null where it could not be fetched: its length is learnt while playing. */
export async function tailOf(chunk: Playable, source: ChunkSource, signal: AbortSignal): Promise<Uint8Array | null> {
  const from = Math.max(0, chunk.size - TAIL_BYTES);
  try {
    const tail = await source.fetch(chunk, signal, [from, chunk.size - 1]);
    if (lastBlockTime(tail) !== null || from === 0) return tail;
    return await source.fetch(chunk, signal);
  } catch {
    return null;
  }
}
