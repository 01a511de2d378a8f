import { isChromium } from './engine';
import { firstCluster, tracksIn, withPictureLength } from './webm';

/** A camera may hang for twice as long. For so long the last picture of all stays at the end. */
const PICTURE_MS = 600;

/** What stands before the first moment of a segment: its tracks, without which nothing of it can be decoded. */
export interface MediaHeader {
  /** What the decoder is given of it. */
  bytes: Uint8Array;
  /** How many bytes of the segment it takes. */
  length: number;
  /** The type to ask MSE for. Segments of the same type can follow each other in one SourceBuffer. */
  type: string;
  /** Times can be read of WebM alone. */
  isWebm: boolean;
  /** The number of WebM's track with the picture; null where there is none. */
  picture: number | null;
}

/** The header at the beginning of a segment; null where these bytes are too few. `mimeType`: the recording's. */
export function headerOf(bytes: Uint8Array, mimeType: string): MediaHeader | null {
  const start = mediaStart(bytes);
  if (start === null) return null;
  const header = bytes.subarray(0, start);
  const tracks = tracksIn(header);
  if (tracks.length === 0)
    return { bytes: header.slice(), length: start, type: mimeType, isWebm: false, picture: null };
  const picture = tracks.find(({ kind }) => kind === 'video')?.number ?? null;
  const codecs = tracks.map(({ codec }) => codec);
  // Where a track's codec takes more than its name, its recorder knew what to call it.
  const type = codecs.includes(null)
    ? mimeType
    : `${picture === null ? 'audio' : 'video'}/webm;codecs="${[...codecs].sort().reverse().join(',')}"`;
  // Firefox 153 takes a told length for the truth, and throws away what begins before its end (seen).
  const told = isChromium() ? withPictureLength(header, PICTURE_MS) : header;
  return { bytes: told.slice(), length: start, type, isWebm: true, picture };
}

/** Where in the bytes of a chunk something begins that can be decoded after a header; null where nothing does. */
export function mediaStart(bytes: Uint8Array): number | null {
  return firstCluster(bytes)?.offset ?? mp4Fragment(bytes);
}

/** Where the first fragment of an MP4 begins. */
function mp4Fragment(bytes: Uint8Array): number | null {
  for (let at = bytes.indexOf(0x6d, 4); at >= 0; at = bytes.indexOf(0x6d, at + 1)) {
    if (bytes[at + 1] === 0x6f && bytes[at + 2] === 0x6f && bytes[at + 3] === 0x66) return at - 4;
  }
  return null;
}
