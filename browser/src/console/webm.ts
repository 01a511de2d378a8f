/**
 * As much of WebM (RFC 8794, RFC 9559) as finding one's place takes: where clusters begin and when. MediaRecorder's files have no
 * index, and a chunk may begin in the middle of a cluster. Times are in ms: every browser writes a TimestampScale of 1 ms.
 */

import { child, children, type Element, joined, type Span, sizeAt, sized, unsigned } from './ebml';

const CLUSTER = [0x1f, 0x43, 0xb6, 0x75];
const TIMESTAMP = 0xe7;
const SIMPLE_BLOCK = 0xa3;
const BLOCK_GROUP = 0xa0;
const BLOCK = 0xa1;
const REFERENCE = 0xfb;
const SEGMENT = 0x18538067;
const TRACKS = 0x1654ae6b;
const TRACK_ENTRY = 0xae;
const TRACK_NUMBER = 0xd7;
const TRACK_TYPE = 0x83;
const CODEC_ID = 0x86;
const DEFAULT_DURATION = 0x23e383;
const TRACKS_ID = [0x16, 0x54, 0xae, 0x6b];

export interface Cluster {
  /** Of its first byte. */
  offset: number;
  timeMs: number;
}

/** The first cluster at or after `from`; null where these bytes begin none. */
export function firstCluster(data: Uint8Array, from = 0): Cluster | null {
  for (let at = data.indexOf(0x1f, from); at >= 0; at = data.indexOf(0x1f, at + 1)) {
    const timeMs = clusterTime(data, at);
    if (timeMs !== null) return { offset: at, timeMs };
  }
  return null;
}

/** When the last block in these bytes begins; null where they begin no cluster. */
export function lastBlockTime(data: Uint8Array): number | null {
  let cluster = firstCluster(data);
  for (let next = cluster; next; next = firstCluster(data, next.offset + 4)) cluster = next;
  if (!cluster) return null;
  let last = cluster.timeMs;
  for (const { timeMs } of blocksOf(data, cluster)) last = Math.max(last, timeMs);
  return last;
}

/** Where decoding can begin. */
export interface Entry {
  /** Of the first byte of its cluster. */
  offset: number;
  /** When the whole picture is seen that it begins with. */
  timeMs: number;
}

/** Every cluster with a whole picture in it. Without a picture (`track` null) any block counts. */
export function* entriesIn(data: Uint8Array, track: number | null): Generator<Entry> {
  for (let cluster = firstCluster(data); cluster; cluster = firstCluster(data, cluster.offset + 4)) {
    for (const block of blocksOf(data, cluster)) {
      if (track === null || (block.isWhole && block.track === track))
        yield { offset: cluster.offset, timeMs: block.timeMs };
    }
  }
}

/**
 * The last of them at or before a time: from an earlier one more would be fetched than needed, and from a cluster without one nothing
 * would be seen until the next. `hasLater`: the same bytes hold one beyond that time.
 */
export function entryBefore(
  data: Uint8Array,
  timeMs: number,
  track: number | null,
): (Entry & { hasLater: boolean }) | null {
  let found: Entry | null = null;
  for (const entry of entriesIn(data, track)) {
    if (entry.timeMs > timeMs) return found && { ...found, hasLater: true };
    found = entry;
  }
  return found && { ...found, hasLater: false };
}

export interface Track {
  number: number;
  kind: 'video' | 'audio' | 'other';
  /** As MSE wants to hear of it; null where that takes more than its name. */
  codec: string | null;
}

const CODECS: Record<string, string> = { V_VP8: 'vp8', V_VP9: 'vp9', A_OPUS: 'opus', A_VORBIS: 'vorbis' };
const KINDS: Record<number, Track['kind']> = { 1: 'video', 2: 'audio' };

/** The tracks that a header names; empty where these bytes are none. */
export function tracksIn(header: Uint8Array): Track[] {
  const segment = child(header, { body: 0, end: header.length }, SEGMENT);
  const tracks = segment && child(header, segment, TRACKS);
  const entries = tracks ? [...children(header, tracks)].filter(({ id }) => id === TRACK_ENTRY) : [];
  return entries.map((one) => trackOf(header, one));
}

function trackOf(data: Uint8Array, entry: Span): Track {
  const number = child(data, entry, TRACK_NUMBER);
  const kind = child(data, entry, TRACK_TYPE);
  const codec = child(data, entry, CODEC_ID);
  const name = codec ? new TextDecoder('latin1').decode(data.subarray(codec.body, codec.end)).replace(/\0+$/, '') : '';
  return {
    number: number ? unsigned(data, number) : 0,
    kind: KINDS[kind ? unsigned(data, kind) : 0] ?? 'other',
    codec: CODECS[name] ?? null,
  };
}

/**
 * The same header, with a picture's length for each video track (DefaultDuration). Where it is not told, Chromium 156 takes the usual distance of
 * pictures for the last one of a cluster, and a camera that hangs there for three of them is a break to it: all until the next
 * whole picture is thrown away, sound and all (seen).
 */
export function withPictureLength(header: Uint8Array, ms: number): Uint8Array {
  const segment = child(header, { body: 0, end: header.length }, SEGMENT);
  const tracks = segment && child(header, segment, TRACKS);
  // A file that names its size is none of MediaRecorder's, and would not fit it any more.
  if (!tracks || segment.isSized) return header;
  const entries = [...children(header, tracks)].flatMap((one) => {
    const whole = header.subarray(one.at, one.end);
    if (one.id !== TRACK_ENTRY || trackOf(header, one).kind !== 'video' || child(header, one, DEFAULT_DURATION))
      return [whole];
    const length = new Uint8Array(8);
    new DataView(length.buffer).setUint32(4, ms * 1_000_000);
    length.set([0x23, 0xe3, 0x83, 0x84]);
    return [sized([TRACK_ENTRY], [header.subarray(one.body, one.end), length])];
  });
  return joined([header.subarray(0, tracks.at), sized(TRACKS_ID, entries), header.subarray(tracks.end)]);
}

export interface Block {
  /** From its cluster's time on. */
  relativeMs: number;
  track: number;
  /** It needs nothing of those before it: a keyframe. Firefox calls no sound so, which always is. */
  isWhole: boolean;
  /** Its bytes begin with the track's number, */
  body: number;
  /** then, in two bytes, its relative time; one with its flags follows, and what is decoded, */
  timeAt: number;
  /** up to here. */
  end: number;
  isInGroup: boolean;
}

/** The block that an element of a cluster is; null where it is none. */
export function blockIn(data: Uint8Array, one: Element): Block | null {
  const isInGroup = one.id === BLOCK_GROUP;
  const block = isInGroup ? child(data, one, BLOCK) : one.id === SIMPLE_BLOCK ? one : null;
  const number = block && sizeAt(data, block.body);
  if (!block || number?.value == null) return null;
  const timeAt = block.body + number.length;
  if (timeAt + 3 > block.end) return null;
  const isWhole = isInGroup ? child(data, one, REFERENCE) === null : ((data[timeAt + 2] ?? 0) & 0x80) !== 0;
  return {
    relativeMs: signed16(data, timeAt),
    track: number.value,
    isWhole,
    body: block.body,
    timeAt,
    end: block.end,
    isInGroup,
  };
}

/** The whole blocks of a cluster, and when they are; what is cut off by the end of these bytes is left out. */
function* blocksOf(data: Uint8Array, { offset, timeMs }: Cluster): Generator<Block & { timeMs: number }> {
  const size = sizeAt(data, offset + 4);
  const body = offset + 4 + (size?.length ?? 1);
  const end = size?.value == null ? data.length : Math.min(data.length, body + size.value);
  for (const one of children(data, { body, end })) {
    if (one.isCut || one.id > 0xffffff) return; // The next cluster: this one named no size.
    const block = blockIn(data, one);
    if (block) yield { ...block, timeMs: timeMs + block.relativeMs };
  }
}

/** A block's distance from its cluster. */
function signed16(data: Uint8Array, at: number): number {
  return new DataView(data.buffer, data.byteOffset).getInt16(at);
}

function clusterTime(data: Uint8Array, at: number): number | null {
  if (CLUSTER.some((byte, index) => data[at + index] !== byte)) return null;
  const size = sizeAt(data, at + 4);
  if (!size) return null;
  const inside = at + 4 + size.length;
  const length = sizeAt(data, inside + 1);
  if (data[inside] !== TIMESTAMP || !length?.value || length.value > 8) return null;
  const from = inside + 1 + length.length;
  if (from + length.value > data.length) return null;
  let time = 0;
  for (let index = 0; index < length.value; index += 1) time = time * 256 + (data[from + index] ?? 0);
  return time;
}
