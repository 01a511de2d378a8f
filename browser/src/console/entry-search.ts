import { type MediaHeader, mediaStart } from './media-header';
import type { Playable } from './playback-plan';
import type { Part } from './timeline';
import { entriesIn, entryBefore } from './webm';

/** A seek looks at no more chunks than this before it settles for what it found: browsers make a whole picture every ten seconds at the latest. */
const LOOKS = 8;

/** So many chunks earlier, about ten seconds, an MP4 is begun. */
const EARLIER = 2;

/** Where to begin appending, so that a wanted time can be shown. */
export interface Found {
  chunk: Playable;
  bytes: Uint8Array;
  offset: number;
  /** When the whole picture is seen that it begins with, by the part's own clock; null where that is not known. */
  timeMs: number | null;
}

/**
 * The last place before a time (in ms of the part's own clock) from which decoding can begin; null: the part's beginning. Where
 * chunks tell their times it looks there first, else where as many bytes lie before it as a steady rate would have made.
 *
 * `look` answers a chunk's bytes; null gives up, as when somebody meanwhile wants to go elsewhere.
 */
export async function findEntry(
  part: Part,
  header: MediaHeader,
  timeMs: number,
  look: (chunk: Playable) => Promise<Uint8Array | null>,
): Promise<Found | null> {
  const { chunks } = part;
  const told = byTimes(part, timeMs);
  if (!header.isWebm) return told === null ? null : earlierFragment(chunks[told - EARLIER], look);
  let at = told ?? byShare(part, timeMs);
  let best: Found | null = null;
  for (let looks = 0; looks < LOOKS; looks += 1) {
    const chunk = chunks[at];
    const bytes = chunk && (await look(chunk));
    if (!chunk || !bytes) return best;
    const entry = entryBefore(bytes, timeMs, header.picture);
    if (entry) best = { chunk, bytes, offset: entry.offset, timeMs: entry.timeMs };
    // One that came by its time has what is wanted, or all that is left is to play on from there.
    if (best && (!entry || entry.hasLater || told !== null)) return best;
    at += entry ? 1 : -1;
  }
  return best;
}

/** Where in a chunk, whose predecessor is not there, decoding can begin; null where nothing of it can be decoded. */
export function firstEntry(bytes: Uint8Array, header: MediaHeader): Pick<Found, 'offset' | 'timeMs'> | null {
  if (header.isWebm) return entriesIn(bytes, header.picture).next().value ?? null;
  const offset = mediaStart(bytes);
  return offset === null ? null : { offset, timeMs: null };
}

/** The times in an MP4 are not read: its fragments begin with whole pictures, one of which is not so far back. */
async function earlierFragment(
  chunk: Playable | undefined,
  look: (chunk: Playable) => Promise<Uint8Array | null>,
): Promise<Found | null> {
  const bytes = chunk && (await look(chunk));
  const offset = bytes ? mediaStart(bytes) : null;
  return chunk && bytes && offset !== null ? { chunk, bytes, offset, timeMs: null } : null;
}

/** The chunk that was being recorded at that time; null where chunks do not say. */
function byTimes({ chunks }: Part, timeMs: number): number | null {
  const startMs = chunks[0]?.start_ms ?? null;
  if (startMs === null || chunks.some(({ start_ms }) => start_ms === null)) return null;
  return Math.max(
    0,
    chunks.findLastIndex(({ start_ms }) => (start_ms ?? 0) - startMs <= timeMs),
  );
}

function byShare({ chunks, startS, endS }: Part, timeMs: number): number {
  const lengthMs = startS === null || endS === null ? 0 : (endS - startS) * 1000;
  return lengthMs > 0 ? Math.min(chunks.length - 1, Math.floor((timeMs / lengthMs) * chunks.length)) : 0;
}
