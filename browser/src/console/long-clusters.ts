import { children, type Element, joined, sized, unsigned } from './ebml';
import { type Block, blockIn } from './webm';

const CLUSTER = 0x1f43b675;
const TIMESTAMP = 0xe7;
const CLUSTER_OF_UNKNOWN_SIZE = [0x1f, 0x43, 0xb6, 0x75, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
const GROUP_ID = [0xa0];
const BLOCK_ID = [0xa1];
const DURATION_ID = [0x9b];
/** It needs the picture before it. By how much that is earlier no browser asks. */
const REFERENCE = Uint8Array.of(0xfb, 0x81, 0xff);
/** Of a block's flags, those that a group's has too: invisible, laced. */
const FLAGS_IN_GROUP = 0x0e;
/** An id of 4 bytes and a size of 8: what is longer and no element is not EBML. */
const LONGEST_HEAD = 12;
/** How far from its cluster a block can be: 16 bits, signed. */
const REACH_MS = 32_767;
/** From so long a cluster on, a whole picture begins the next one: recorders make one every ten seconds, so the reach is never met. */
const LONG_MS = 10_000;
/** Sound waits no longer than this for the next picture, such as of a screen on which nothing moves. */
const HELD_MS = 5_000;

/** What to append. */
export interface Piece {
  bytes: Uint8Array;
  /** It begins a cluster after others: the decoder has to be set up for it. */
  isAnew: boolean;
}

interface Held {
  /** Of its cluster: with the block, or as the group that it came in. */
  bytes: Uint8Array;
  block: Block;
  timeMs: number;
}

/**
 * Rewrites WebM, as it passes in pieces, for Firefox's Media Source Extensions. Those set the decoder up anew with each cluster that
 * begins before both picture and sound of the last one end, as every cluster does that has both; then all is thrown away
 * until the next whole picture (seen in Firefox 153 with recordings of its own and of Chromium). Here clusters become longer, and a new one
 * begins with a whole picture, in a piece of its own: where the decoder sets itself up for it, that fails, too, if the cluster comes by and
 * by (seen). Each picture gets its length told (BlockDuration), for the last one of a piece would
 * be guessed, and a camera that hangs behind it for longer than twice that is a break, too. So the last picture is held back until
 * the next one comes.
 *
 * What is not EBML passes as it is, for the browser to judge.
 */
export class LongClusters {
  readonly #picture: number;
  #rest: Uint8Array = new Uint8Array();
  #isForeign = false;
  /** Of the cluster that is read, and of the one that is written. */
  #readMs = 0;
  #writtenMs: number | null = null;
  /** The last picture and what came after it. */
  #held: Held[] = [];
  #out: { parts: Uint8Array[]; isAnew: boolean }[] = [];

  /** `picture`: the number of the track with the picture. */
  constructor(picture: number) {
    this.#picture = picture;
  }

  /** What to append for the next bytes, which begin with a cluster or go on where the last ones ended; may be nothing. */
  push(bytes: Uint8Array): Piece[] {
    if (this.#isForeign) return [{ bytes, isAnew: false }];
    const data = this.#rest.length > 0 ? joined([this.#rest, bytes]) : bytes;
    const read = this.#read(data);
    this.#rest = data.slice(read);
    if (this.#isForeign) this.#put(this.#rest);
    return this.#written();
  }

  /** What was held back; no more comes. */
  end(): Piece[] {
    this.#release(null);
    return this.#written();
  }

  /** How far these bytes could be read. */
  #read(data: Uint8Array): number {
    for (let at = 0; ; ) {
      const one: Element | undefined = children(data, { body: at, end: data.length }).next().value;
      const isCluster = one?.id === CLUSTER;
      this.#isForeign = one ? !one.isSized && !isCluster : data.length - at >= LONGEST_HEAD;
      if (this.#isForeign) this.#release(null);
      if (!one || this.#isForeign || (one.isCut && !isCluster)) return at;
      if (!isCluster) this.#take(data, one);
      at = isCluster ? one.body : one.end;
    }
  }

  #take(data: Uint8Array, one: Element): void {
    if (one.id === TIMESTAMP) this.#readMs = unsigned(data, one);
    const bytes = data.subarray(one.at, one.end);
    const [whole] = children(bytes, { body: 0, end: bytes.length });
    const block = whole ? blockIn(bytes, whole) : null;
    if (block) this.#hold({ bytes, block, timeMs: this.#readMs + block.relativeMs });
  }

  #hold(next: Held): void {
    const first = this.#held[0];
    const isPicture = next.block.track === this.#picture;
    const sinceMs = first ? next.timeMs - first.timeMs : 0;
    if (isPicture || sinceMs >= HELD_MS) this.#release(sinceMs > 0 ? sinceMs : null);
    // Bytes that are held must outlast what they came in.
    if (isPicture || this.#held.length > 0) this.#held.push({ ...next, bytes: next.bytes.slice() });
    else this.#write(next, null);
  }

  /** `pictureMs`: how long the held picture is seen; null where that is not known. */
  #release(pictureMs: number | null): void {
    for (const one of this.#held) this.#write(one, one.block.track === this.#picture ? pictureMs : null);
    this.#held = [];
  }

  #write({ bytes, block, timeMs }: Held, lengthMs: number | null): void {
    const clusterMs = this.#clusterAt(timeMs, block);
    const written = bytes.slice();
    new DataView(written.buffer).setInt16(block.timeAt, timeMs - clusterMs);
    this.#put(lengthMs === null || block.isInGroup ? written : grouped(written, block, lengthMs));
  }

  /** The time of the cluster that a block of that time goes into, which it may begin. */
  #clusterAt(timeMs: number, { track, isWhole }: Block): number {
    const sinceMs = this.#writtenMs === null ? 0 : timeMs - this.#writtenMs;
    const isLong = track === this.#picture && isWhole && sinceMs >= LONG_MS;
    if (this.#writtenMs !== null && !isLong && Math.abs(sinceMs) <= REACH_MS) return this.#writtenMs;
    this.#out.push({ parts: [], isAnew: this.#writtenMs !== null });
    this.#writtenMs = Math.max(0, timeMs);
    const time = new DataView(new ArrayBuffer(8));
    time.setBigUint64(0, BigInt(this.#writtenMs));
    this.#put(Uint8Array.from(CLUSTER_OF_UNKNOWN_SIZE));
    this.#put(sized([TIMESTAMP], [new Uint8Array(time.buffer)]));
    return this.#writtenMs;
  }

  #put(part: Uint8Array): void {
    const last = this.#out.at(-1);
    if (last) last.parts.push(part);
    else this.#out.push({ parts: [part], isAnew: false });
  }

  #written(): Piece[] {
    const written = this.#out.map(({ parts, isAnew }) => ({ bytes: joined(parts), isAnew }));
    this.#out = [];
    return written;
  }
}

/** A simple block as one with a length. */
function grouped(bytes: Uint8Array, { body, timeAt, end, isWhole }: Block, lengthMs: number): Uint8Array {
  const content = bytes.slice(body, end);
  const flagsAt = timeAt + 2 - body;
  content[flagsAt] = (content[flagsAt] ?? 0) & FLAGS_IN_GROUP;
  const length = new DataView(new ArrayBuffer(4));
  length.setUint32(0, lengthMs);
  const parts = [sized(BLOCK_ID, [content]), sized(DURATION_ID, [new Uint8Array(length.buffer)])];
  return sized(GROUP_ID, isWhole ? parts : [...parts, REFERENCE]);
}
