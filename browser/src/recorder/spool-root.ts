/** The directory that all spools of this origin are in, and who was the last to record there. */
import { sha256Hex } from './digest';
import { Failure, isStorageFull } from './failure';
import { appendLines, linesOf } from './line-files';
import { openHandle, removeFile, writeFlushed } from './opfs';

const ROOT = 'safereel';
const LAST_OWNER = 'last-owner';
const PROBE = 'probe';

/**
 * Opens the root of all spools and proves that it can be written and flushed.
 * @throws Failure `opfs_unavailable`; a full disk does not count, since what is there must still be sent.
 */
export async function openSpoolRoot(): Promise<FileSystemDirectoryHandle> {
  try {
    const root = await (await navigator.storage.getDirectory()).getDirectoryHandle(ROOT, { create: true });
    await probe(root);
    return root;
  } catch (error) {
    throw new Failure('opfs_unavailable', error);
  }
}

async function probe(root: FileSystemDirectoryHandle): Promise<void> {
  // One name per try: two tabs that start together must not wait for each other.
  const name = `${PROBE}-${crypto.getRandomValues(new Uint32Array(1))[0]}`;
  const handle = await openHandle(root, name, true);
  try {
    writeFlushed(handle, new Uint8Array([1]), 0);
  } catch (error) {
    if (!isStorageFull(error)) throw error;
  } finally {
    handle.close();
  }
  await removeFile(root, name);
}

/** Whom the last start on this device was for, or null. */
export async function lastOwner(root: FileSystemDirectoryHandle): Promise<string | null> {
  return (await linesOf<{ owner: string }>(root, LAST_OWNER)).at(-1)?.owner ?? null;
}

/** Remembers the owner for a start without a network. Appended, so that a crash leaves the one before. */
export async function rememberOwner(root: FileSystemDirectoryHandle, owner: string): Promise<void> {
  if ((await lastOwner(root)) === owner) return;
  await appendLines(root, LAST_OWNER, [{ owner }]);
}

/** The name of an owner's directory: any string can be an owner, so its hash names the directory. */
export async function ownerDirectoryName(owner: string): Promise<string> {
  return (await sha256Hex(new TextEncoder().encode(owner))).slice(0, 32);
}
