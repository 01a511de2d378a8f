/** The page's side of a file's upload: what `uploadFile` and `fileUpload` answer. */
import { SafereelError } from './errors';
import { keptHandle, mayRead } from './file-handles';
import type { FileProgress, FileUpload, Snapshot } from './types';

/** What an upload needs of the page's recorder. */
export interface FileLink {
  progress(): FileProgress | null;
  pause(paused: boolean): void;
  goOn(file: File, handle: FileSystemFileHandle): Promise<void>;
  delete(signal: AbortSignal | undefined): Promise<void>;
  discardLocal(signal: AbortSignal | undefined): Promise<void>;
  completed(signal: AbortSignal | undefined): Promise<void>;
}

export class PageFileUpload implements FileUpload {
  readonly #link: FileLink;

  constructor(
    readonly id: string,
    readonly already: boolean,
    link: FileLink,
  ) {
    this.#link = link;
  }

  progress(): FileProgress | null {
    return this.#link.progress();
  }

  pause(): void {
    this.#link.pause(true);
  }

  resume(): void {
    this.#link.pause(false);
  }

  async reopen(): Promise<boolean> {
    const handle = await keptHandle(this.id);
    if (!handle || !(await mayRead(handle, true))) return false;
    let file: File;
    try {
      file = await handle.getFile();
    } catch (error) {
      throw new SafereelError('source_unreadable', error);
    }
    await this.#link.goOn(file, handle);
    return true;
  }

  async #delete(signal: AbortSignal | undefined): Promise<void> {
    try {
      await this.#link.delete(signal);
    } catch (error) {
      // One that the control plane has not heard of yet is only here.
      if (!(error instanceof SafereelError) || error.code !== 'recording_unknown') throw error;
      await this.#link.discardLocal(signal);
    }
  }

  async cancel({ signal }: { signal?: AbortSignal } = {}): Promise<void> {
    const wasPaused = this.progress()?.state === 'paused';
    this.#link.pause(true);
    try {
      await this.#delete(signal);
    } catch (error) {
      if (!wasPaused) this.#link.pause(false);
      throw error;
    }
  }

  completed(signal?: AbortSignal): Promise<void> {
    return this.#link.completed(signal);
  }
}

/** The uploads whose progress is another than before. */
export function progressBetween(before: Snapshot, after: Snapshot): { recordingId: string; progress: FileProgress }[] {
  const known = new Map(before.recordings.map((view) => [view.id, view]));
  return after.recordings.flatMap(({ id, file }) => {
    const was = known.get(id)?.file;
    return file && !isSame(was, file) ? { recordingId: id, progress: file } : [];
  });
}

function isSame(a: FileProgress | undefined, b: FileProgress): boolean {
  return a !== undefined && (Object.keys(b) as (keyof FileProgress)[]).every((key) => a[key] === b[key]);
}

/** The answer, or the signal's reason; an answer that comes after that is handed to `late`. */
export function unlessAborted<T>(
  answer: Promise<T>,
  signal: AbortSignal | undefined,
  late: (answer: T) => void,
): Promise<T> {
  if (!signal) return answer;
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      reject(signal.reason);
      answer.then(late, () => undefined); // It failed: then nothing was begun.
    };
    signal.addEventListener('abort', onAbort, { once: true });
    answer.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
