/** How a file is cut, what can be uploaded, and what happens next to the chunk whose turn it is. Decisions only. */
import { Failure } from './failure';
import type { FileFacts } from './journal';

/** Large enough that calls cost nothing beside the bytes, small enough to be read, hashed and repeated at ease. */
export const FILE_CHUNK_BYTES = 8 * 1024 * 1024;

/** So much of all files together is copied to OPFS: enough to go on for a while after a reload, little of any disk. */
export const DEFAULT_COPY_BYTES = 256 * 1024 * 1024;

/** This much stays free for recordings: an hour at about 1 Mbit/s. They can be repeated by nobody, files can be read again. */
export const HEADROOM_BYTES = 512 * 1024 * 1024;

/** Chunks that are read ahead of sending without being copied: the uploader never waits for one. */
export const AHEAD_CHUNKS = 8;

/** How many chunks a file has. */
export function chunkCountOf({ size, chunkBytes }: FileFacts): number {
  return Math.ceil(size / chunkBytes);
}

/** Where a chunk lies in its file, in bytes; `end` is not in it. */
export function placeOf({ size, chunkBytes }: FileFacts, seq: number): { start: number; end: number } {
  return { start: seq * chunkBytes, end: Math.min(size, (seq + 1) * chunkBytes) };
}

export interface FeedView {
  paused: boolean;
  /** Something is being recorded in this browser: the disk is its. */
  recording: boolean;
  /** Chunks of this file that are sealed and that the bucket has not taken. */
  unsent: number;
  /** Bytes of all files in OPFS, and how many that may be. */
  heldBytes: number;
  copyBytes: number;
  /** Bytes of the chunk whose turn it is. */
  size: number;
  /** What the browser still grants this origin; null where it does not tell. */
  roomBytes: number | null;
}

/** `hold`: copy the next chunk to OPFS; `seal`: only hash it, to be read again when it is sent; or wait for a change. */
export function nextStep(view: FeedView): 'hold' | 'seal' | 'wait' {
  const { paused, recording, unsent, heldBytes, copyBytes, size, roomBytes } = view;
  const fits = heldBytes + size <= copyBytes && roomBytes !== null && roomBytes - size >= HEADROOM_BYTES;
  if (fits && !recording) return 'hold';
  return !paused && unsent < AHEAD_CHUNKS ? 'seal' : 'wait';
}

/** What the control plane takes. */
const TAKEN = /* @__PURE__ */ new Set([
  'audio/webm',
  'audio/ogg',
  'audio/mp4',
  'video/webm',
  'video/mp4',
  'video/x-matroska',
]);

/** Other names of the same, as systems and browsers give them. */
const ALIASES: Record<string, string> = {
  'audio/m4a': 'audio/mp4',
  'audio/x-m4a': 'audio/mp4',
  'video/x-m4v': 'video/mp4',
  'video/matroska': 'video/x-matroska',
  'application/ogg': 'audio/ogg',
};

const BY_ENDING: Record<string, string> = {
  webm: 'video/webm',
  weba: 'audio/webm',
  mkv: 'video/x-matroska',
  mp4: 'video/mp4',
  m4v: 'video/mp4',
  m4a: 'audio/mp4',
  ogg: 'audio/ogg',
  oga: 'audio/ogg',
  opus: 'audio/ogg',
};

/** The endings of files that can be uploaded, for an input's `accept` and for a sentence. */
export const FILE_ENDINGS = /* @__PURE__ */ Object.keys(BY_ENDING).map((ending) => `.${ending}`);

/** The type a file is uploaded as. @throws Failure `file_type_unsupported`. */
export function fileTypeOf({ name, type }: Pick<File, 'name' | 'type'>, wanted: string | null): string {
  const said = (wanted ?? type).trim();
  const [base = '', ...parameters] = said.split(';');
  const plain = base.trim().toLowerCase();
  const known = ALIASES[plain] ?? plain;
  if (TAKEN.has(known)) {
    const codecs = parameters.find((parameter) => parameter.trim().startsWith('codecs='));
    return codecs ? `${known};${codecs.trim()}` : known;
  }
  const byName = wanted === null ? BY_ENDING[(name.split('.').at(-1) ?? '').toLowerCase()] : undefined;
  if (byName && (plain === '' || plain === 'application/octet-stream')) return byName;
  throw new Failure('file_type_unsupported', said || name);
}
