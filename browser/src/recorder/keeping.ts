/** How much of what was released stays on this device, and what of it goes first. Decisions only. */
import type { KeptSeal } from './kept-files';
import type { StorageReport } from './types';

/** About a quarter of an hour of a usual camera (2.5 Mbit/s): what was recorded last is what a bucket's trouble would hit. */
export const DEFAULT_KEEP_BYTES = 256 * 1024 * 1024;

/** Spare copies are a small part of what the browser grants: a large origin is the first that it, or a person, clears. */
const SHARE_OF_QUOTA = 0.05;

/** This many times as much stays free beside them: room counts as plentiful only then. */
const FREE_BESIDE = 10;

export interface KeptChunk extends KeptSeal {
  id: string;
}

/**
 * How many bytes may be kept: at most `most`, a twentieth of the quota, and a tenth of what would be free without them, so that
 * they shrink as room does. Nothing where the browser does not tell, or where room is `low`.
 */
export function keepLimit(most: number, { usage, quota }: StorageReport, keptBytes: number, low: boolean): number {
  if (low || usage === null || quota === null) return 0;
  const free = Math.max(0, quota - usage + keptBytes);
  return Math.max(0, Math.floor(Math.min(most, quota * SHARE_OF_QUOTA, free / FREE_BESIDE)));
}

/** What has to go so that what is left fits: those released first, of one moment in order of number. */
export function toFree(kept: Iterable<KeptChunk>, limit: number): KeptChunk[] {
  const inTurn = [...kept].sort(
    (a, b) => a.at - b.at || (a.id < b.id ? -1 : a.id > b.id ? 1 : a.seal.seq - b.seal.seq),
  );
  let bytes = inTurn.reduce((sum, { seal }) => sum + seal.size, 0);
  const due: KeptChunk[] = [];
  for (const chunk of inTurn) {
    if (bytes <= limit) break;
    bytes -= chunk.seal.size;
    due.push(chunk);
  }
  return due;
}
