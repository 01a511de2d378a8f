import type { StoredChunk } from './bucket-view';
import { headlessSegments, nextAfter, type Playable, playableOf } from './playback-plan';
import { Store } from './store';
import { codecsIn, firstCluster, lastBlockTime } from './webm';

/** What a player needs of the bucket. */
export interface ChunkSource {
  /** The bytes of a chunk, or of `range` (inclusive) of it where that is given. */
  fetch(chunk: Playable, signal: AbortSignal, range?: readonly [number, number]): Promise<Uint8Array>;
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
  /** Where a leap over missing chunks was made last, in seconds. */
  leaptAt: number | null;
}

/** So much is fetched ahead of what is being seen: a minute outlasts most stalls, and bounds memory. */
const AHEAD_S = 60;
/** What was seen longer ago than this is let go, and fetched again if it is wanted again. */
const BEHIND_S = 30;
/** The last block of a run, some hundred blocks at the end of its last chunk, tells how long it is. */
const TAIL_BYTES = 512 * 1024;
/** While a recording grows, a chunk that is late is waited for this long before it is leapt over. */
const LATE_MS = 20_000;
/** A seek looks at no more chunks than this before it settles for what it found. */
const SEEK_LOOKS = 8;
/** Two buffered ranges closer than this are one to the eye. */
const SEAM_S = 0.15;
const RETRY_MS = 3_000;
/** One track can end this much before the other where chunks are missing. */
const STALL_S = 1.5;
/** A wait shorter than this is the decoder's, not a gap. */
const STALL_MS = 400;

interface Segment {
  number: number;
  /** Where it begins on the timeline. */
  startS: number;
  /** Null until its end is known. */
  endS: number | null;
}

/** A cluster to begin at. */
interface Found {
  chunk: Playable;
  bytes: Uint8Array;
  offset: number;
}

/**
 * Plays a recording from its chunks, while it grows or once it is complete: fetched in order, appended to one
 * SourceBuffer, a bounded time ahead; each segment has its own header and its own place on the timeline.
 */
export class Playback {
  readonly state = new Store<PlaybackState>({ phase: 'waiting', problem: null, appendedSeq: -1, leaptAt: null });
  readonly #video: HTMLVideoElement;
  readonly #source: ChunkSource;
  readonly #mimeType: string;
  readonly #abort = new AbortController();
  readonly #segments = new Map<number, Segment>();
  #media: MediaSource | null = null;
  #buffer: SourceBuffer | null = null;
  #chunks: readonly Playable[] = [];
  #headless: ReadonlySet<number> = new Set();
  #complete = false;
  #cursor = -1;
  #segment: number | null = null;
  #seekTo: number | null = null;
  /** The gap that is being waited at: the chunk after it, and since when. */
  #late: { before: number; since: number } | null = null;
  #wake: () => void = () => undefined;
  #running = false;

  constructor(video: HTMLVideoElement, mimeType: string, source: ChunkSource) {
    this.#video = video;
    this.#mimeType = mimeType;
    this.#source = source;
  }

  /** What the bucket holds now; `complete` once no more will come. Begins to play as soon as there is something. */
  update(chunks: readonly StoredChunk[], complete: boolean): void {
    this.#chunks = playableOf(chunks);
    this.#headless = headlessSegments(chunks);
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
    try {
      if (!(await this.#open())) return;
      if (this.#complete) await this.#measure();
      while (!this.#abort.signal.aborted) await this.#step();
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      this.state.patch({ phase: 'failed', problem: error instanceof Error ? error.message : String(error) });
    }
  }

  async #open(): Promise<boolean> {
    const type = await this.#playableType();
    if (type === null) {
      this.state.patch({ phase: 'unsupported' });
      return false;
    }
    const media = new MediaSource();
    const url = URL.createObjectURL(media);
    this.#video.src = url;
    await once(media, 'sourceopen', this.#abort.signal);
    URL.revokeObjectURL(url);
    this.#media = media;
    this.#buffer = media.addSourceBuffer(type);
    // A recording's header names no length, which would make the timeline endless: from nothing, it grows with what is appended.
    media.duration = 0;
    const { signal } = this.#abort;
    for (const name of ['timeupdate', 'waiting', 'play', 'pause'])
      this.#video.addEventListener(name, () => this.#onTime(), { signal });
    this.#video.addEventListener('waiting', () => this.#onWaiting(), { signal });
    this.#video.addEventListener('seeking', () => this.#onSeeking(), { signal });
    this.state.patch({ phase: 'ready' });
    return true;
  }

  /** The recording's type, completed by what its header names where the recorder named no codecs. */
  async #playableType(): Promise<string | null> {
    if (typeof MediaSource === 'undefined') return null;
    let type = this.#mimeType;
    const first = this.#chunks[0];
    if (!type.includes('codecs') && type.includes('webm') && first) {
      const codecs = codecsIn(await this.#source.fetch(first, this.#abort.signal, [0, Math.min(8191, first.size - 1)]));
      if (codecs.length > 0) type = `${type};codecs="${codecs.join(',')}"`;
    }
    return MediaSource.isTypeSupported(type) ? type : null;
  }

  /** One thing at a time: a seek, room made, a chunk appended, or a wait for news. */
  async #step(): Promise<void> {
    if (this.#seekTo !== null) return this.#seek(this.#seekTo);
    await this.#makeRoom();
    if (this.#aheadS() > AHEAD_S) return this.#news();
    const chunk = this.#next();
    if (chunk) return this.#append(chunk);
    if (this.#complete) this.#end();
    return this.#news();
  }

  #next(): Playable | null {
    let chunk = nextAfter(this.#chunks, this.#cursor);
    while (chunk && this.#headless.has(chunk.segment)) chunk = nextAfter(this.#chunks, chunk.seq);
    if (!chunk || chunk.seq === this.#cursor + 1 || this.#complete) return chunk;
    if (this.#late?.before !== chunk.seq) this.#late = { before: chunk.seq, since: Date.now() };
    return Date.now() - this.#late.since < LATE_MS ? null : chunk;
  }

  async #append(chunk: Playable): Promise<void> {
    const bytes = await this.#fetched(chunk);
    if (!bytes || this.#seekTo !== null) return;
    const follows = chunk.seq === this.#cursor + 1 && chunk.segment === this.#segment;
    const placed = follows ? bytes : this.#placed(chunk, bytes);
    if (placed) await this.#feed(placed);
    this.#cursor = chunk.seq;
    this.#lengthen(chunk);
    this.state.patch({ appendedSeq: Math.max(this.state.get().appendedSeq, chunk.seq), problem: null });
    this.#leap();
  }

  /** Sets the decoder up for bytes that do not go on where the last ones ended; null where nothing of them can be used. */
  #placed(chunk: Playable, bytes: Uint8Array): Uint8Array | null {
    const { buffer, media } = this.#opened();
    if (media.readyState === 'open') buffer.abort();
    const opens = chunk.segment !== this.#segment;
    if (opens) {
      const segment = this.#segmentOf(chunk.segment);
      buffer.timestampOffset = segment.startS;
      this.#segment = chunk.segment;
      return bytes;
    }
    const cluster = firstCluster(bytes);
    return cluster ? bytes.subarray(cluster.offset) : mp4Fragment(bytes);
  }

  #segmentOf(number: number): Segment {
    const known = this.#segments.get(number);
    if (known) return known;
    const { buffer } = this.#opened();
    const end = buffer.buffered.length > 0 ? buffer.buffered.end(buffer.buffered.length - 1) : 0;
    const segment = { number, startS: end, endS: null };
    this.#segments.set(number, segment);
    return segment;
  }

  /** Appends, making room and trying again where the browser says that it holds too much. */
  async #feed(bytes: Uint8Array): Promise<void> {
    const { buffer } = this.#opened();
    for (let tries = 0; ; tries += 1) {
      try {
        buffer.appendBuffer(bytes as Uint8Array<ArrayBuffer>);
        break;
      } catch (error) {
        if (!(error instanceof DOMException && error.name === 'QuotaExceededError') || tries > 50) throw error;
        await this.#makeRoom(5);
        await this.#news(1_000);
      }
    }
    await once(buffer, 'updateend', this.#abort.signal);
    if (this.#video.error) throw new Error(this.#video.error.message || 'The browser could not decode the recording.');
  }

  async #makeRoom(keepS = BEHIND_S): Promise<void> {
    const { buffer } = this.#opened();
    const until = this.#video.currentTime - keepS;
    if (buffer.buffered.length === 0 || buffer.buffered.start(0) >= until - BEHIND_S / 2) return;
    buffer.remove(0, until);
    await once(buffer, 'updateend', this.#abort.signal);
  }

  async #fetched(chunk: Playable): Promise<Uint8Array | null> {
    try {
      return await this.#source.fetch(chunk, this.#abort.signal);
    } catch (error) {
      if (this.#abort.signal.aborted) return null;
      this.state.patch({
        problem: `Chunk ${chunk.seq} could not be fetched: ${error instanceof Error ? error.message : error}. Trying again.`,
      });
      await this.#news(RETRY_MS);
      return null;
    }
  }

  /** Reads where each run of a complete recording ends, so that the timeline has its true length from the start. */
  async #measure(): Promise<void> {
    const lasts = new Map<number, Playable>();
    for (const chunk of this.#chunks) lasts.set(chunk.segment, chunk);
    let startS = 0;
    for (const [number, last] of lasts) {
      const tail = await this.#fetchedTail(last);
      const endMs = tail && lastBlockTime(tail);
      if (endMs === null) return;
      this.#segments.set(number, { number, startS, endS: startS + endMs / 1000 });
      startS += endMs / 1000;
    }
    this.#setDuration(startS);
  }

  async #fetchedTail(chunk: Playable): Promise<Uint8Array | null> {
    const from = Math.max(0, chunk.size - TAIL_BYTES);
    try {
      const tail = await this.#source.fetch(chunk, this.#abort.signal, [from, chunk.size - 1]);
      if (lastBlockTime(tail) !== null || from === 0) return tail;
      return await this.#source.fetch(chunk, this.#abort.signal);
    } catch {
      return null; // The length is then learnt while playing.
    }
  }

  /** While the end is not known, the timeline reaches as far as the bytes that are known let one guess. */
  #lengthen(chunk: Playable): void {
    if (this.#segments.get(chunk.segment)?.endS != null) return;
    const { buffer } = this.#opened();
    if (buffer.buffered.length === 0) return;
    const end = buffer.buffered.end(buffer.buffered.length - 1);
    const seen = sizeOf(this.#chunks, (one) => one.seq <= chunk.seq);
    const ahead = sizeOf(this.#chunks, (one) => one.seq > chunk.seq);
    const guess = end + (seen > 0 ? (ahead / seen) * end : 0);
    this.#setDuration(ahead === 0 ? end : guess);
  }

  #setDuration(seconds: number): void {
    const { media, buffer } = this.#opened();
    if (media.readyState !== 'open' || buffer.updating) return;
    try {
      media.duration = seconds;
    } catch (error) {
      // One track already reaches further than both do, which alone is told: the timeline is long enough then.
      if (!(error instanceof DOMException && error.name === 'InvalidStateError')) throw error;
    }
  }

  #end(): void {
    const { media } = this.#opened();
    if (media.readyState === 'open' && this.#chunks.length > 0) media.endOfStream();
  }

  #onSeeking(): void {
    if (!isIn(this.#opened().buffer.buffered, this.#video.currentTime)) this.#seekTo = this.#video.currentTime;
    this.#wake();
  }

  #onTime(): void {
    this.#leap();
    this.#wake();
  }

  /** Over missing chunks the picture would stop for ever: goes on where there is something again. */
  #leap(slack = SEAM_S): void {
    const now = this.#video.currentTime;
    if (this.#video.paused || this.#seekTo !== null) return;
    const to = placeAfterGap(this.#opened().buffer.buffered, now, slack);
    if (to === null) return;
    if (to - now > SEAM_S) this.state.patch({ leaptAt: now });
    this.#video.currentTime = to + 0.001;
  }

  /** Picture and sound end at different times before a gap: what stands still near an end is leapt as well. */
  #onWaiting(): void {
    const at = this.#video.currentTime;
    setTimeout(() => {
      if (!this.#abort.signal.aborted && this.#video.currentTime === at) this.#leap(STALL_S);
    }, STALL_MS);
  }

  /** Goes to a place that is not buffered: finds the chunk that covers it, and appends from the cluster there. */
  async #seek(seconds: number): Promise<void> {
    const segment = this.#segmentAt(seconds);
    const run = this.#chunks.filter((chunk) => chunk.segment === segment.number);
    const found = await this.#findCluster(run, segment, seconds);
    if (this.#seekTo !== seconds) return;
    await this.#empty();
    const first = run[0];
    if (found && first) {
      await this.#feedFrom(found, first, segment);
    } else {
      // No way to tell times in this container: the run is appended from its start.
      this.#cursor = (first?.seq ?? 0) - 1;
      this.#segment = null;
    }
    if (this.#seekTo === seconds) this.#seekTo = null;
  }

  async #feedFrom(found: Found, first: Playable, segment: Segment): Promise<void> {
    const { buffer, media } = this.#opened();
    if (media.readyState === 'open') buffer.abort();
    if (this.#segment !== segment.number) await this.#feedHeader(first, segment);
    await this.#feed(found.bytes.subarray(found.offset));
    this.#cursor = found.chunk.seq;
    this.state.patch({ appendedSeq: Math.max(this.state.get().appendedSeq, found.chunk.seq) });
  }

  /** What was buffered elsewhere would be taken for the far side of a gap, and kept for nothing. */
  async #empty(): Promise<void> {
    const { buffer } = this.#opened();
    buffer.remove(0, Number.POSITIVE_INFINITY);
    await once(buffer, 'updateend', this.#abort.signal);
  }

  async #feedHeader(first: Playable, segment: Segment): Promise<void> {
    const bytes = await this.#source.fetch(first, this.#abort.signal);
    const { buffer } = this.#opened();
    buffer.timestampOffset = segment.startS;
    this.#segment = segment.number;
    await this.#feed(bytes.subarray(0, firstCluster(bytes)?.offset ?? bytes.length));
    buffer.abort();
    buffer.timestampOffset = segment.startS;
  }

  #segmentAt(seconds: number): Segment {
    const known = [...this.#segments.values()].sort((a, b) => a.startS - b.startS);
    return (
      known.filter(({ startS }) => startS <= seconds).at(-1) ??
      known[0] ??
      this.#segmentOf(this.#chunks[0]?.segment ?? 0)
    );
  }

  /** Guesses by bytes, looks at the cluster there, guesses again: the latest cluster that begins before the place. */
  async #findCluster(run: readonly Playable[], segment: Segment, seconds: number): Promise<Found | null> {
    const wantedMs = Math.max(0, (seconds - segment.startS) * 1000);
    const lengthMs = ((segment.endS ?? this.#opened().media.duration) - segment.startS) * 1000;
    let low = 0;
    let high = run.length - 1;
    let at = Math.min(high, Math.max(0, Math.floor((wantedMs / Math.max(1, lengthMs)) * run.length)));
    let best: Found | null = null;
    for (let looks = 0; looks < SEEK_LOOKS && low <= high; looks += 1) {
      const chunk = run[at];
      const bytes = chunk && (await this.#fetched(chunk));
      if (!chunk || !bytes || this.#seekTo !== seconds) return best;
      const cluster = lastClusterBefore(bytes, wantedMs);
      if (cluster) {
        best = { chunk, bytes, offset: cluster.offset };
        low = at + 1;
        if (at === high || cluster.hasLater) return best;
        at += 1;
      } else {
        high = at - 1;
        at -= 1;
      }
    }
    return best;
  }

  #aheadS(): number {
    const { buffered } = this.#opened().buffer;
    const now = this.#video.currentTime;
    for (let index = 0; index < buffered.length; index += 1) {
      if (buffered.start(index) <= now + SEAM_S && now <= buffered.end(index)) return buffered.end(index) - now;
    }
    const last = buffered.length - 1;
    return last >= 0 && buffered.start(last) > now ? buffered.end(last) - buffered.start(last) : 0;
  }

  #opened(): { media: MediaSource; buffer: SourceBuffer } {
    if (!this.#media || !this.#buffer) throw new Error('The player is not open.');
    return { media: this.#media, buffer: this.#buffer };
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

/** The last cluster that begins at or before a time, and whether a later one begins in the same bytes. */
export function lastClusterBefore(bytes: Uint8Array, timeMs: number): { offset: number; hasLater: boolean } | null {
  let found: { offset: number; hasLater: boolean } | null = null;
  for (let one = firstCluster(bytes); one; one = firstCluster(bytes, one.offset + 4)) {
    if (one.timeMs > timeMs) return found && { ...found, hasLater: true };
    found = { offset: one.offset, hasLater: false };
  }
  return found;
}

/** From the first fragment of an MP4 on; null where these bytes begin none. */
export function mp4Fragment(bytes: Uint8Array): Uint8Array | null {
  for (let at = bytes.indexOf(0x6d, 4); at >= 0; at = bytes.indexOf(0x6d, at + 1)) {
    if (bytes[at + 1] === 0x6f && bytes[at + 2] === 0x6f && bytes[at + 3] === 0x66) return bytes.subarray(at - 4);
  }
  return null;
}

function sizeOf(chunks: readonly Playable[], counts: (chunk: Playable) => boolean): number {
  return chunks.reduce((sum, chunk) => sum + (counts(chunk) ? chunk.size : 0), 0);
}

/** Where the next range begins, when no more than `slack` of the one at `now` is left; null where one plays on, or none comes. */
export function placeAfterGap(
  ranges: Pick<TimeRanges, 'length' | 'start' | 'end'>,
  now: number,
  slack: number,
): number | null {
  for (let index = 0; index < ranges.length; index += 1) {
    const start = ranges.start(index);
    if (start > now) return start;
    if (ranges.end(index) - now > slack) return null;
  }
  return null;
}

function isIn(ranges: TimeRanges, time: number): boolean {
  for (let index = 0; index < ranges.length; index += 1) {
    if (ranges.start(index) <= time && time < ranges.end(index)) return true;
  }
  return false;
}

function once(target: EventTarget, name: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    const onEvent = () => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    target.addEventListener(name, onEvent, { once: true, signal });
  });
}
