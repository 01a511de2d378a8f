/** 5 MiB: the smallest part S3 joins without copying. */
export const DEFAULT_CHUNK_BYTES = 5 * 1024 * 1024;

/** What a lost device can cost at most, and about ten slices. */
export const DEFAULT_CHUNK_MS = 5_000;

/** What the control plane takes in one chunk unless it says otherwise (`limits.max_chunk_bytes`). */
export const DEFAULT_MAX_CHUNK_BYTES = 128 * 1024 * 1024;

export interface SealingLimits {
  chunkBytes: number;
  chunkMs: number;
  maxChunkBytes: number;
}

/** How many of `remaining` bytes go into a chunk that has `openBytes`; the rest belongs to the next chunk. */
export function bytesThatFit(openBytes: number, remaining: number, limits: SealingLimits): number {
  return Math.max(0, Math.min(remaining, limits.maxChunkBytes - openBytes));
}

/** Whether a chunk of this size is sealed now. A slice is cut only at the server's limit, never at `chunkBytes`. */
export function isFull(openBytes: number, limits: SealingLimits): boolean {
  return openBytes >= Math.min(limits.chunkBytes, limits.maxChunkBytes);
}

/** How long until a chunk opened `ageMs` ago is due; 0 when it is. */
export function dueInMs(ageMs: number, limits: SealingLimits): number {
  return Math.max(0, limits.chunkMs - ageMs);
}
