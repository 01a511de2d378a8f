/** Files of checksummed lines, as `journal.ts` writes them: read whole, appended to and flushed. */
import { encodeLine, parseLines } from './journal';
import { openHandle, readAll, readFile, writeFlushed } from './opfs';

/** The records of a file's valid lines, in order; none where there is no file. */
export async function linesOf<T>(directory: FileSystemDirectoryHandle, name: string): Promise<T[]> {
  const bytes = await readFile(directory, name);
  return bytes ? parseLines<T>(bytes).records : [];
}

/** Appends lines after the valid prefix of a file and flushes them. */
export async function appendLines(
  directory: FileSystemDirectoryHandle,
  name: string,
  records: readonly object[],
): Promise<void> {
  const handle = await openHandle(directory, name, true);
  try {
    const { validLength } = parseLines(readAll(handle));
    handle.truncate(validLength);
    writeFlushed(handle, joinLines(records), validLength);
  } finally {
    handle.close();
  }
}

function joinLines(records: readonly object[]): Uint8Array<ArrayBuffer> {
  const lines = records.map(encodeLine);
  const joined = new Uint8Array(lines.reduce((sum, line) => sum + line.length, 0));
  let at = 0;
  for (const line of lines) {
    joined.set(line, at);
    at += line.length;
  }
  return joined;
}
