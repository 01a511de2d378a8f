/** The files in one recording's directory: what they are called, and what they say. */
import { type ReleaseRecord, type ReleaseState, replayReleases } from './journal';
import { linesOf } from './line-files';
import { entriesOf } from './opfs';

export const JOURNAL = 'journal';
export const RELEASES = 'releases';
const CHUNK_NAME = /^(\d{8})-(\d{4})$/;

/** Names and sizes of chunk files, by seq. */
export type ChunkFiles = Map<number, { name: string; size: number }>;

/** The file name of a chunk. The segment is in it so that a chunk can be told even without its journal line. */
export function chunkName(seq: number, segment: number): string {
  return `${String(seq).padStart(8, '0')}-${String(segment).padStart(4, '0')}`;
}

/** The numbers in the name of a chunk file; null for other files. */
export function chunkNumbers(name: string): { seq: number; segment: number } | null {
  const match = CHUNK_NAME.exec(name);
  return match && { seq: Number(match[1]), segment: Number(match[2]) };
}

/** What was released and completed. */
export async function releasesIn(directory: FileSystemDirectoryHandle): Promise<ReleaseState> {
  return replayReleases(await linesOf<ReleaseRecord>(directory, RELEASES));
}

/** The chunk files that are there. */
export async function chunkFiles(directory: FileSystemDirectoryHandle): Promise<ChunkFiles> {
  const files: ChunkFiles = new Map();
  for (const [name, handle] of await entriesOf(directory)) {
    const numbers = chunkNumbers(name);
    if (!numbers || handle.kind !== 'file') continue;
    const { size } = await (handle as FileSystemFileHandle).getFile();
    files.set(numbers.seq, { name, size });
  }
  return files;
}
