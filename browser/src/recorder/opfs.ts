/** The origin private file system, thinly: sync handles that wait for their predecessor, deletions that are checked. */

/** After a reload or a crash the old handle can still be held for a moment (seen: up to a second). */
const HANDLE_PATIENCE_MS = 2_000;
const HANDLE_RETRY_MS = 25;

/**
 * Opens the exclusive handle of a file, waiting up to about two seconds for another holder to let go.
 * @throws DOMException `NoModificationAllowedError` when it is still held then, `NotFoundError` without `create`.
 */
export async function openHandle(
  directory: FileSystemDirectoryHandle,
  name: string,
  create: boolean,
): Promise<FileSystemSyncAccessHandle> {
  const file = await directory.getFileHandle(name, { create });
  const deadline = performance.now() + HANDLE_PATIENCE_MS;
  for (let wait = HANDLE_RETRY_MS; ; wait *= 2) {
    try {
      return await file.createSyncAccessHandle();
    } catch (error) {
      if (!isHeld(error) || performance.now() + wait > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
}

/** Everything in a file through its sync handle. */
export function readAll(handle: FileSystemSyncAccessHandle): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(handle.getSize());
  let read = 0;
  while (read < bytes.length) {
    const count = handle.read(bytes.subarray(read), { at: read });
    if (count === 0) throw new Error('the file ended before its size');
    read += count;
  }
  return bytes;
}

/**
 * Writes all bytes at `at` and flushes them to the device. A write that fails leaves the file as long as it was.
 * @throws what the browser throws (`QuotaExceededError`), or an Error naming a short write.
 */
export function writeFlushed(handle: FileSystemSyncAccessHandle, bytes: Uint8Array<ArrayBuffer>, at: number): void {
  try {
    const written = handle.write(bytes, { at });
    if (written !== bytes.length) throw new Error(`no space: wrote ${written} of ${bytes.length} bytes`);
    handle.flush();
  } catch (error) {
    try {
      handle.truncate(at);
    } catch {
      // The next write goes to the same place and readers stop at the first invalid line: the tail is harmless.
    }
    throw error;
  }
}

/** The bytes of a file, or null when there is none. */
export async function readFile(
  directory: FileSystemDirectoryHandle,
  name: string,
): Promise<Uint8Array<ArrayBuffer> | null> {
  try {
    const file = await (await directory.getFileHandle(name)).getFile();
    return new Uint8Array(await file.arrayBuffer());
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}

/** Names and handles directly inside a directory. */
export async function entriesOf(directory: FileSystemDirectoryHandle): Promise<[string, FileSystemHandle][]> {
  const entries: [string, FileSystemHandle][] = [];
  for await (const entry of directory.entries()) entries.push(entry);
  return entries;
}

/** Removes a file and checks that it is gone; a file that is not there is fine. @throws when it is still there. */
export async function removeFile(directory: FileSystemDirectoryHandle, name: string): Promise<void> {
  try {
    await directory.removeEntry(name);
  } catch (error) {
    if (isNotFound(error)) return;
    throw error;
  }
  if (await exists(directory, name)) throw new Error(`${name} is still there after its removal`);
}

/** Truncates a file to nothing, flushed: gives its space back on a disk that takes no more bytes. */
export async function emptyFile(directory: FileSystemDirectoryHandle, name: string): Promise<void> {
  const handle = await openHandle(directory, name, true);
  try {
    handle.truncate(0);
    handle.flush();
  } finally {
    handle.close();
  }
}

/** Removes a directory entry by entry: recursive removal has failed silently on some builds. */
export async function removeDirectory(parent: FileSystemDirectoryHandle, name: string): Promise<void> {
  const directory = await directoryIn(parent, name);
  if (!directory) return;
  for (const [entry, handle] of await entriesOf(directory)) {
    if (handle.kind === 'directory') await removeDirectory(directory, entry);
    else await removeFile(directory, entry);
  }
  await parent.removeEntry(name);
}

/** A directory inside another, or null when there is none. */
export async function directoryIn(
  parent: FileSystemDirectoryHandle,
  name: string,
): Promise<FileSystemDirectoryHandle | null> {
  try {
    return await parent.getDirectoryHandle(name);
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}

async function exists(directory: FileSystemDirectoryHandle, name: string): Promise<boolean> {
  try {
    await directory.getFileHandle(name);
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

/** True when another worker has the file's exclusive handle. */
export function isHeld(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'NoModificationAllowedError';
}

export function isNotFound(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'NotFoundError';
}
