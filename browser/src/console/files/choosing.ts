import { FILE_ENDINGS } from '../../recorder/file-plan';
import type { Chosen } from './uploads';

/** What an input for files accepts. */
export const ACCEPT = FILE_ENDINGS.join(',');

/** Not in TypeScript's own types: only Chromium has them. */
interface Picker {
  showOpenFilePicker?(options: { multiple: boolean }): Promise<FileSystemFileHandle[]>;
}
interface Dropped {
  getAsFileSystemHandle?(): Promise<FileSystemHandle | null>;
}

/** Whether the browser's own picker gives handles, with which a reload can go on. */
export function hasPicker(): boolean {
  return typeof (globalThis as Picker).showOpenFilePicker === 'function';
}

/** Lets a person pick files; empty when they pick none. Call it in a click. */
export async function pickFiles(multiple: boolean): Promise<Chosen[]> {
  try {
    const handles = (await (globalThis as Picker).showOpenFilePicker?.({ multiple })) ?? [];
    return await Promise.all(handles.map(async (handle) => ({ file: await handle.getFile(), handle })));
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') return [];
    throw error;
  }
}

/** The files of a drop, with handles where the browser gives them. Call it in the event: its items are gone after it. */
export async function droppedFiles(data: DataTransfer): Promise<Chosen[]> {
  const items = [...data.items].filter(({ kind }) => kind === 'file');
  return (await Promise.all(items.map(chosenOf))).flatMap((one) => one ?? []);
}

function chosenOf(item: DataTransferItem): Promise<Chosen | null> {
  const file = item.getAsFile();
  const asked = (item as Dropped).getAsFileSystemHandle?.() ?? Promise.resolve(null);
  const withHandle = (handle: FileSystemHandle | null) => {
    if (handle?.kind === 'directory' || !file) return null;
    return { file, handle: (handle as FileSystemFileHandle | null) ?? undefined };
  };
  return asked.then(withHandle, () => withHandle(null));
}
