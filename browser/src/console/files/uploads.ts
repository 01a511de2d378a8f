import type { FileUpload, Problem, Safereel, UploadFileOptions } from '../../recorder/types';
import { Store } from '../store';

/** A file that somebody chose or dropped. */
export interface Chosen {
  file: File;
  /** Where the browser gives one: then a reload needs no second choice. */
  handle?: FileSystemFileHandle | undefined;
}

/** A file about which there is something to say before, or instead of, an upload. */
export interface Attempt {
  key: number;
  name: string;
  chosen: Chosen;
  /** `looking`: it is read and compared; `already`: it is in the bucket as the recording `id`; `refused`: see `problem`. */
  state: 'looking' | 'already' | 'refused';
  id: string | null;
  problem: Problem | null;
}

/** What this page was given to upload. The uploads themselves are in the recorder's snapshot. */
export class Uploads {
  readonly state: Store<readonly Attempt[]>;
  readonly #safereel: Safereel;
  #key = 0;

  constructor(safereel: Safereel, initial: readonly Attempt[] = []) {
    this.#safereel = safereel;
    this.state = new Store(initial);
  }

  add(files: readonly Chosen[]): void {
    for (const chosen of files) void this.#begin(chosen, {});
  }

  /** Uploads a file that was uploaded before once more. */
  again({ key, chosen }: Attempt): void {
    this.dismiss(key);
    void this.#begin(chosen, { again: true });
  }

  /** Goes on with an upload whose file was chosen once more. */
  goOn(id: string, chosen: Chosen): void {
    void this.#begin(chosen, { resume: id });
  }

  /** Asks the browser for the file that it knows; to be called in a click. */
  async reopen(id: string, name: string): Promise<void> {
    try {
      const allowed = await this.#safereel.fileUpload(id).reopen();
      const detail =
        'The browser did not allow the file to be read. Press the button again and allow it, or choose the file.';
      if (!allowed) this.#refuse(name, { code: 'permission_denied', detail });
    } catch (error) {
      this.#refuse(name, problemIn(error));
    }
  }

  pause(id: string, paused: boolean): void {
    const upload = this.#safereel.fileUpload(id);
    if (paused) upload.pause();
    else upload.resume();
  }

  async cancel(id: string, name: string): Promise<void> {
    try {
      await this.#safereel.fileUpload(id).cancel();
    } catch (error) {
      this.#refuse(name, problemIn(error));
    }
  }

  dismiss(key: number): void {
    this.state.set(this.state.get().filter((one) => one.key !== key));
  }

  async #begin(chosen: Chosen, options: UploadFileOptions): Promise<void> {
    const key = this.#put({ name: chosen.file.name, chosen, state: 'looking', id: null, problem: null });
    try {
      const handle = chosen.handle ? { handle: chosen.handle } : {};
      this.#settle(key, await this.#safereel.uploadFile(chosen.file, { ...options, ...handle }));
    } catch (error) {
      this.#change(key, { state: 'refused', problem: problemIn(error) });
    }
  }

  #settle(key: number, { id, already }: FileUpload): void {
    if (already) this.#change(key, { state: 'already', id });
    else this.dismiss(key);
  }

  #refuse(name: string, problem: Problem): void {
    this.#put({ name, chosen: { file: new File([], name) }, state: 'refused', id: null, problem });
  }

  #put(attempt: Omit<Attempt, 'key'>): number {
    this.#key += 1;
    this.state.set([...this.state.get(), { ...attempt, key: this.#key }]);
    return this.#key;
  }

  #change(key: number, part: Partial<Attempt>): void {
    this.state.set(this.state.get().map((one) => (one.key === key ? { ...one, ...part } : one)));
  }
}

function problemIn(error: unknown): Problem {
  const detail = error instanceof Error ? error.message : String(error);
  const code = (error as { code?: unknown } | null)?.code;
  return { code: typeof code === 'string' ? code : 'unexpected', detail };
}
