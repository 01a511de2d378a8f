/**
 * As much of WebM (RFC 8794, RFC 9559) as finding one's place takes: where clusters begin and when. MediaRecorder's files have no
 * index, and a chunk may begin in the middle of a cluster. Times are in ms: every browser writes a TimestampScale of 1 ms.
 */

const CLUSTER = [0x1f, 0x43, 0xb6, 0x75];
const TIMESTAMP = 0xe7;
const SIMPLE_BLOCK = 0xa3;
const BLOCK_GROUP = 0xa0;

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
  // The timestamp is the cluster's first element; blocks follow it, each telling how far it is from there.
  let at = cluster.offset + 4 + (sizeAt(data, cluster.offset + 4)?.length ?? 1);
  while (at < data.length) {
    const size = sizeAt(data, at + 1);
    if (!size || size.value === null) break;
    const body = at + 1 + size.length;
    const id = data[at];
    const block = id === BLOCK_GROUP ? body + 1 + (sizeAt(data, body + 1)?.length ?? 1) : body;
    if (id === SIMPLE_BLOCK || id === BLOCK_GROUP)
      last = Math.max(last, cluster.timeMs + (relativeTime(data, block) ?? 0));
    at = body + size.value;
  }
  return last;
}

/** Codecs that a header names, as MSE wants to hear of them; empty where none is known. */
export function codecsIn(header: Uint8Array): string[] {
  const text = new TextDecoder('latin1').decode(header.subarray(0, 8192));
  const known: [string, string][] = [
    ['V_VP8', 'vp8'],
    ['V_VP9', 'vp9'],
    ['A_OPUS', 'opus'],
    ['A_VORBIS', 'vorbis'],
  ];
  return known.filter(([id]) => text.includes(id)).map(([, codec]) => codec);
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

/** A size as EBML writes it; `value` is null for "unknown", which live recordings use for what is still growing. */
function sizeAt(data: Uint8Array, at: number): { value: number | null; length: number } | null {
  const head = data[at];
  if (head === undefined || head === 0) return null;
  const length = Math.clz32(head) - 23;
  if (at + length > data.length) return null;
  let value = head & (0xff >> length);
  let ones = value === 0xff >> length;
  for (let index = 1; index < length; index += 1) {
    const byte = data[at + index] ?? 0;
    value = value * 256 + byte;
    ones &&= byte === 0xff;
  }
  return { value: ones ? null : value, length };
}

/** A block's distance from its cluster: two signed bytes after the track number. */
function relativeTime(data: Uint8Array, body: number): number | null {
  const track = sizeAt(data, body);
  if (!track || body + track.length + 2 > data.length) return null;
  return new DataView(data.buffer, data.byteOffset).getInt16(body + track.length);
}
