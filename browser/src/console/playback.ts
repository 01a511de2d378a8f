import type { HeldChunk } from './bucket-view';
import { type Found, findEntry, firstEntry } from './entry-search';
import type { MediaHeader } from './media-header';
import { PartHeaders, tailOf } from './part-headers';
import { headlessSegments, nextAfter, type Playable, playableOf } from './playback-plan';
import { Reel } from './reel';
import { Store } from './store';
import {
  aheadOf,
  type Hole,
  holesAcross,
  holesIn,
  isIn,
  landing,
  lengthOf,
  type Part,
  partAt,
  partsOf,
  placeAfterGap,
  placeBeforeGap,
} from './timeline';
import { lastBlockTime } from './webm';

/** What a player needs of the bucket. */
export interface ChunkSource {
  /** The bytes of a chunk, or of `range` (inclusive) of it where that is given. */
  fetch(chunk: Playable, signal: AbortSignal, range?: readonly [number, number]): Promise<Uint8Array>;
}

/** Playing went on behind a stretch without anything to play. In seconds. */
export interface Leap {
  fromS: number;
  toS: number;
  /** Why; empty where nothing tells. */
  holes: readonly Hole[];
}

/**
 * `waiting` nothing to play yet; `ready` there is; `unsupported` this browser cannot play the type in pieces;
 * `failed` a chunk could not be fetched or decoded (`problem` says which).
 */
export interface PlaybackState {
  phase: 'waiting' | 'ready' | 'unsupported' | 'failed';
  problem: string | null;
  /** Highest seq handed to the decoder. */
  appendedSeq: number;
  /** The last leap, until somebody goes elsewhere. */
  leap: Leap | null;
}

export const NOT_YET: PlaybackState = { phase: 'waiting', problem: null, appendedSeq: -1, leap: null };

/** So much is fetched ahead of what is being seen: a minute outlasts most stalls, and bounds memory. */
const AHEAD_S = 60;
/** What was seen longer ago than this is let go, and fetched again if it is wanted again. */
const BEHIND_S = 30;
/** While a recording grows, a chunk that is late is waited for this long before it is leapt over. */
const LATE_MS = 20_000;
/** Two buffered ranges closer than this are one to the eye. */
const SEAM_S = 0.15;
/** A leap this short is that of one device's start after another's end: not worth a word. */
const TOLD_S = 1;
/** Where it stands still for one look, so much is left of a part: the browser waits for more that never comes. */
const STAND_S = 0.3;
/** One track can end this much before the other where chunks are missing. */
const STALL_S = 1.5;
/** Between two looks at whether the picture moves. */
const LOOK_MS = 400;
/** A busy machine stands still for a while, too, and must not lose what it did not get to show. */
const STALL_LOOKS = 6;
const RETRY_MS = 3_000;
/** Just behind where a range begins, for browsers round times. */
const INSIDE_S = 0.001;
/** Browsers round times that are set. */
const ROUNDED_S = 0.01;

/**
 * Plays a recording from its chunks, while it grows or once it is complete: fetched in order and appended a bounded time ahead. Its
 * timeline is that of recorded time: each segment is placed where it was recorded, and what lies between is leapt over.
 *
 * Segments that have the same tracks and codecs follow each other in one `Reel`; for others it is changed when they are reached.
 */
export class Playback {
  readonly state = new Store<PlaybackState>(NOT_YET);
  readonly #video: HTMLVideoElement;
  readonly #source: ChunkSource;
  readonly #abort = new AbortController();
  readonly #headers: PartHeaders;
  /** How long segments are whose recorder did not say. */
  readonly #lengths = new Map<number, number>();
  #stored: readonly HeldChunk[] = [];
  #chunks: readonly Playable[] = [];
  #parts: readonly Part[] = [];
  #holes: readonly Hole[] = [];
  #complete = false;
  #reel: Reel | null = null;
  #cursor = -1;
  #segment: number | null = null;
  /** Where the present segment's own times count from. */
  #offsetS = 0;
  /** What came before the next chunk of this segment is not in the decoder. */
  #isCut = false;
  /** Of the next bytes of this segment, so many are its header, which the decoder has. */
  #toSkip = 0;
  #seekTo: number | null = null;
  /** What was last sought, by a person or by a leap: told once more by the element, it is no news. */
  #goal: number | null = null;
  /** Where somebody was before they went elsewhere. */
  #seenS = 0;
  /** The next part, which does not fit into the present reel. */
  #unlike: Part | null = null;
  /** Where the picture stood still, and for how many looks. */
  #stoodS: number | null = null;
  #stood = 0;
  /** The gap that is being waited at: the chunk after it, and since when. */
  #late: { before: number; since: number } | null = null;
  #wake: () => void = () => undefined;
  #running = false;

  constructor(video: HTMLVideoElement, mimeType: string, source: ChunkSource) {
    this.#video = video;
    this.#source = source;
    this.#headers = new PartHeaders(mimeType, (chunk, range) => this.#fetched(chunk, range));
  }

  /** What the bucket holds now; `complete` once no more will come. Begins to play as soon as there is something. */
  update(chunks: readonly HeldChunk[], complete: boolean): void {
    this.#stored = chunks;
    const headless = headlessSegments(chunks);
    this.#chunks = playableOf(chunks).filter(({ segment }) => !headless.has(segment));
    this.#parts = partsOf(chunks, this.#lengths);
    this.#holes = holesIn(chunks);
    this.#complete = complete;
    if (this.#chunks.length > 0 && !this.#running) {
      this.#running = true;
      void this.#run();
    }
    this.#wake();
  }

  /** Lets go of everything. */
  close(): void {
    this.#abort.abort();
    this.#wake();
    this.#video.removeAttribute('src');
    this.#video.load();
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    try {
      if (this.#complete) await this.#measure();
      const header = await this.#firstHeader();
      if (!header) return;
      if (!Reel.isSupported(header.type)) return this.state.patch({ phase: 'unsupported' });
      this.#reel = await Reel.open(this.#video, header.type, this.#lengthS(null), signal);
      this.#listen();
      this.state.patch({ phase: 'ready' });
      while (!signal.aborted) await this.#step(this.#reel);
    } catch (error) {
      if (signal.aborted) return;
      this.state.patch({ phase: 'failed', problem: error instanceof Error ? error.message : String(error) });
    }
  }

  /** Waits for it where it has not arrived as a whole; null once this is closed. */
  async #firstHeader(): Promise<MediaHeader | null> {
    while (!this.#abort.signal.aborted) {
      const first = this.#parts[0];
      const header = first && (await this.#headers.of(first, this.#complete));
      if (header) return header;
      await this.#news(RETRY_MS);
    }
    return null;
  }

  #listen(): void {
    const { signal } = this.#abort;
    for (const name of ['timeupdate', 'waiting', 'play', 'pause'])
      this.#video.addEventListener(name, () => this.#onTime(), { signal });
    this.#video.addEventListener('seeking', () => this.#onSeeking(), { signal });
    const timer = setInterval(() => this.#look(), LOOK_MS);
    signal.addEventListener('abort', () => clearInterval(timer), { once: true });
  }

  /** One thing at a time: a seek, room made, a chunk appended, or a wait for news. */
  async #step(reel: Reel): Promise<void> {
    if (this.#seekTo !== null) return this.#seek(reel, this.#seekTo);
    await reel.letGoBefore(this.#video.currentTime - BEHIND_S);
    reel.lengthen(this.#lengthS(reel));
    if (aheadOf(reel.buffered, this.#video.currentTime) > AHEAD_S) return this.#news();
    const chunk = this.#next();
    if (chunk) return this.#follow(reel, chunk);
    if (this.#complete) {
      await reel.finish();
      reel.end();
    }
    return this.#news();
  }

  #next(): Playable | null {
    const chunk = nextAfter(this.#chunks, this.#cursor);
    if (!chunk || chunk.seq === this.#cursor + 1 || this.#complete) return chunk;
    if (this.#late?.before !== chunk.seq) this.#late = { before: chunk.seq, since: Date.now() };
    return Date.now() - this.#late.since < LATE_MS ? null : chunk;
  }

  /** Appends what comes next; where it does not fit into this reel, that waits until all of this one was seen. */
  async #follow(reel: Reel, chunk: Playable): Promise<void> {
    const part = this.#partOf(chunk);
    const header = part && (await this.#headers.of(part, this.#complete));
    if (!header) return this.#news(RETRY_MS);
    if (this.#seekTo !== null) return;
    if (chunk.segment !== this.#segment) await reel.finish();
    if (header.type !== reel.type) {
      this.#unlike = part;
      this.#leap();
      return this.#news();
    }
    const bytes = await this.#fetched(chunk);
    if (!bytes || this.#seekTo !== null) return;
    if (chunk.segment !== this.#segment) {
      // What the clock says may be a little before what the film itself reached.
      await this.#enter(reel, part, Math.max(part.startS ?? 0, reel.endS), header, chunk);
    } else if (chunk.seq !== this.#cursor + 1) this.#isCut = true;
    const entry = this.#isCut ? firstEntry(bytes, header) : { offset: this.#toSkip, timeMs: null };
    await this.#append(reel, { chunk, bytes, offset: entry?.offset ?? bytes.length, timeMs: entry?.timeMs ?? null });
    this.#leap();
  }

  /** Sets the decoder up for a part that is begun at `chunk`. */
  async #enter(reel: Reel, part: Part, offsetS: number, header: MediaHeader, chunk: Playable): Promise<void> {
    reel.interrupt(offsetS);
    this.#segment = part.segment;
    this.#offsetS = offsetS;
    this.#isCut = part.chunks[0]?.seq !== chunk.seq;
    this.#toSkip = this.#isCut ? 0 : header.length;
    await reel.begin(header);
  }

  async #append(reel: Reel, { chunk, bytes, offset, timeMs }: Found): Promise<void> {
    if (offset < bytes.length) {
      if (this.#isCut) {
        await reel.finish();
        reel.interrupt(this.#offsetS);
      }
      if (timeMs !== null) reel.beginAt(this.#offsetS + timeMs / 1000);
      await reel.append(bytes.subarray(offset));
      this.#isCut = false;
    }
    this.#toSkip = Math.max(0, this.#toSkip - bytes.length);
    this.#cursor = chunk.seq;
    this.state.patch({ appendedSeq: Math.max(this.state.get().appendedSeq, chunk.seq), problem: null });
  }

  /** Goes to a place that is not buffered: appends from the last whole picture before it. */
  async #seek(reel: Reel, seconds: number): Promise<void> {
    const landed = landing(this.#holes, seconds, this.#seenS);
    if (landed !== seconds) return this.#goTo(landed, { fromS: seconds, toS: landed });
    const part = partAt(this.#parts, seconds);
    const first = part?.chunks[0];
    const header = part && (await this.#headers.of(part, this.#complete));
    if (!first || !header) return this.#news(RETRY_MS);
    if (this.#seekTo !== seconds) return;
    const offsetS = part.startS ?? 0;
    const found = await findEntry(part, header, (seconds - offsetS) * 1000, (chunk) => this.#looked(chunk, seconds));
    if (this.#seekTo !== seconds) return;
    this.#unlike = null;
    this.#cursor = first.seq - 1;
    const fits = header.type === reel.type;
    const into = fits ? reel : await this.#change(header.type, seconds);
    if (fits) await reel.empty();
    await this.#enter(into, part, offsetS, header, found?.chunk ?? first);
    if (found) await this.#append(into, found);
    if (this.#seekTo === seconds) this.#seekTo = null;
    this.#leap();
  }

  /** A new reel in the element, which forgets all but its sound's level. */
  async #change(type: string, seconds: number): Promise<Reel> {
    const video = this.#video;
    const { signal } = this.#abort;
    const { paused, playbackRate } = video;
    if (!Reel.isSupported(type)) throw new Error(`This browser cannot play ${type}, which a part of it is.`);
    this.#reel = await Reel.open(video, type, Math.max(seconds, this.#lengthS(null)), signal);
    const onMetadata = () => {
      video.currentTime = this.#goal ?? seconds;
      video.playbackRate = playbackRate;
      // A browser that refuses shows its own controls: whoever is there presses play.
      if (!paused) video.play().catch(() => undefined);
    };
    video.addEventListener('loadedmetadata', onMetadata, { once: true, signal });
    return this.#reel;
  }

  /** The bytes of a chunk; null where it failed (which is told, and a while waited) or somebody left. */
  async #fetched(chunk: Playable, range?: readonly [number, number]): Promise<Uint8Array | null> {
    try {
      return await this.#source.fetch(chunk, this.#abort.signal, range);
    } catch (error) {
      if (this.#abort.signal.aborted) return null;
      this.state.patch({
        problem: `Chunk ${chunk.seq} could not be fetched: ${error instanceof Error ? error.message : error}. Trying again.`,
      });
      await this.#news(RETRY_MS);
      return null;
    }
  }

  async #looked(chunk: Playable, seconds: number): Promise<Uint8Array | null> {
    const bytes = await this.#fetched(chunk);
    return this.#seekTo === seconds ? bytes : null;
  }

  /** Reads where each part ends whose recorder did not say, so that the timeline has its true length from the start. */
  async #measure(): Promise<void> {
    for (const { segment, chunks, endS } of this.#parts) {
      const last = chunks.at(-1);
      const tail = endS === null && last ? await tailOf(last, this.#source, this.#abort.signal) : null;
      const endMs = tail && lastBlockTime(tail);
      if (endMs !== null) this.#lengths.set(segment, endMs / 1000);
    }
    this.#parts = partsOf(this.#stored, this.#lengths);
  }

  #lengthS(reel: Reel | null): number {
    return lengthOf(this.#parts, { seq: this.#cursor, endS: reel?.endS ?? 0 });
  }

  #partOf({ segment }: Playable): Part | null {
    return this.#parts.find((part) => part.segment === segment) ?? null;
  }

  #onSeeking(): void {
    const to = this.#video.currentTime;
    if (this.#goal !== null && Math.abs(to - this.#goal) < ROUNDED_S) return;
    this.#goal = to;
    this.state.patch({ leap: null });
    if (!this.#reel || !isIn(this.#reel.buffered, to)) this.#seekTo = to;
    this.#wake();
  }

  #onTime(): void {
    if (!this.#video.seeking && this.#seekTo === null) {
      this.#seenS = this.#video.currentTime;
      if (this.#goal !== null && Math.abs(this.#seenS - this.#goal) > ROUNDED_S) this.#goal = null;
    }
    this.#leap();
    this.#wake();
  }

  /** Picture and sound end at different times before a gap, and no event tells surely that it stands still there. */
  #look(): void {
    const { currentTime: now, paused, seeking } = this.#video;
    const stands = !paused && !seeking && now === this.#stoodS;
    this.#stood = stands ? this.#stood + 1 : 0;
    this.#stoodS = now;
    if (stands) this.#leap(this.#stood < STALL_LOOKS ? STAND_S : STALL_S);
  }

  /** Over what is not there the picture would stop for ever: goes on where there is something again. */
  #leap(slack = SEAM_S): void {
    const { currentTime: now, paused, seeking, readyState } = this.#video;
    // An element tells of a seek in a while: what is at hand by then must not be taken for where somebody wants to be.
    if (seeking) this.#onSeeking();
    const stands = !paused || seeking || readyState < HTMLMediaElement.HAVE_CURRENT_DATA;
    if (!this.#reel || this.#seekTo !== null || !stands) return;
    // Somebody who goes back over it would else never get there.
    const back = seeking && now < this.#seenS ? placeBeforeGap(this.#reel.buffered, now, slack) : null;
    const to = back ?? placeAfterGap(this.#reel.buffered, now, slack) ?? this.#unlikeAfter(now, slack);
    if (to !== null) this.#goTo(to + INSIDE_S, { fromS: now, toS: to });
  }

  /** Where the part begins for which the reel has to be changed, once all of this one was seen. */
  #unlikeAfter(now: number, slack: number): number | null {
    if (!this.#unlike || !this.#reel || this.#reel.endS - now > slack) return null;
    return Math.max(this.#unlike.startS ?? 0, now);
  }

  #goTo(seconds: number, { fromS, toS }: Omit<Leap, 'holes'>): void {
    if (Math.abs(toS - fromS) >= TOLD_S) {
      const holes = holesAcross(this.#holes, fromS, toS);
      this.state.patch({ leap: { fromS, toS, holes } });
    }
    this.#goal = seconds;
    this.#seekTo = this.#reel && isIn(this.#reel.buffered, seconds) ? null : seconds;
    this.#video.currentTime = seconds;
    this.#wake();
  }

  #news(withinMs?: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = withinMs === undefined ? undefined : setTimeout(resolve, withinMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
