/** Released chunks whose files are still on the disk: spare copies of what the bucket holds, which may go at any time. */
import type { ReleaseState, Seal } from './journal';
import { lockNames, underLock } from './locks';
import { entriesOf, removeFile } from './opfs';
import { type ChunkFiles, chunkFiles, releasesIn } from './recording-files';

/** A released chunk that is still here, since when: epoch ms. */
export interface KeptSeal {
  seal: Seal;
  at: number;
}

/** A file of another size is no copy: it is what a crash left of a removal. */
export function keptOf(seals: readonly Seal[], { kept }: ReleaseState, files: ChunkFiles): KeptSeal[] {
  return seals.flatMap((seal) => {
    const at = kept.get(seal.seq);
    return at !== undefined && files.get(seal.seq)?.size === seal.size ? [{ seal, at }] : [];
  });
}

/**
 * Deletes every kept copy on this device, of all owners: the room is needed for what is nowhere else. Answers how many bytes
 * that freed. @throws what the browser throws when nothing could be freed for it.
 */
export function freeAllKept(root: FileSystemDirectoryHandle): Promise<number> {
  return underLock(lockNames.kept, async () => {
    let freed = 0;
    const failures: unknown[] = [];
    for (const owner of await directoriesIn(root)) {
      for (const recording of await directoriesIn(owner)) {
        freed += await freeKeptIn(recording).catch((error: unknown) => {
          failures.push(error);
          return 0;
        });
      }
    }
    if (freed === 0 && failures.length > 0) throw failures[0];
    return freed;
  });
}

async function freeKeptIn(recording: FileSystemDirectoryHandle): Promise<number> {
  const { kept } = await releasesIn(recording);
  if (kept.size === 0) return 0;
  let freed = 0;
  for (const [seq, { name, size }] of await chunkFiles(recording)) {
    if (!kept.has(seq)) continue;
    await removeFile(recording, name);
    freed += size;
  }
  return freed;
}

async function directoriesIn(directory: FileSystemDirectoryHandle): Promise<FileSystemDirectoryHandle[]> {
  const entries = await entriesOf(directory);
  return entries.flatMap(([, handle]) => (handle.kind === 'directory' ? [handle as FileSystemDirectoryHandle] : []));
}
