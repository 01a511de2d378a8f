/** The file that an upload reads from: its own durable copy for as long as it stays what it was. */
import { sha256Hex } from './digest';
import { Failure } from './failure';
import { placeOf } from './file-plan';
import type { FileFacts, Seal } from './journal';
import { isNotFound } from './opfs';

export class FileSource {
  readonly facts: FileFacts;
  readonly #file: File;

  /** @throws Failure `source_changed` when this file cannot be the one of the facts. */
  constructor(file: File, facts: FileFacts) {
    if (file.size !== facts.size) throw new Failure('source_changed', `${file.size} instead of ${facts.size} bytes`);
    this.#file = file;
    this.facts = facts;
  }

  get file(): File {
    return this.#file;
  }

  get lastModified(): number {
    return this.#file.lastModified;
  }

  /** A part of a chunk, read now, in bytes from its beginning. @throws Failure `source_changed`, `source_unreadable`. */
  async read(seq: number, from = 0, to = Number.POSITIVE_INFINITY): Promise<Uint8Array<ArrayBuffer>> {
    const { start, end } = placeOf(this.facts, seq);
    return this.#bytes(Math.min(end, start + from), Math.min(end, start + to));
  }

  /** A chunk as a Blob that streams from the file. Reads a byte of it first: a file that is gone is told here. */
  async body(seq: number): Promise<Blob> {
    const { start, end } = placeOf(this.facts, seq);
    await this.#bytes(start, start + 1);
    return this.#file.slice(start, end);
  }

  /** Whether the file still has the bytes that a chunk was sealed with. */
  async isIntact({ seq, sha256 }: Pick<Seal, 'seq' | 'sha256'>): Promise<boolean> {
    return (await sha256Hex(await this.read(seq))) === sha256;
  }

  /** @throws Failure `source_changed` when the file differs in any of these chunks. */
  async verify(seals: readonly Seal[], signal?: AbortSignal): Promise<void> {
    for (const seal of seals) {
      signal?.throwIfAborted();
      if (!(await this.isIntact(seal))) throw new Failure('source_changed', `chunk ${seal.seq} differs`);
    }
  }

  async #bytes(start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    let bytes: Uint8Array<ArrayBuffer>;
    try {
      bytes = new Uint8Array(await this.#file.slice(start, end).arrayBuffer());
    } catch (error) {
      throw new Failure(isChanged(error) ? 'source_changed' : 'source_unreadable', error);
    }
    if (bytes.length !== end - start) throw new Failure('source_changed', 'it became shorter');
    return bytes;
  }
}

/** Browsers refuse to read a file whose time or size is another than when it was chosen; Chromium by this name. */
function isChanged(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'NotReadableError' && !isNotFound(error);
}

/** True where the browser itself refuses a file that changed since it was chosen (Chromium does, for each read). */
export function refusesChangedFiles(): boolean {
  return 'userAgentData' in navigator;
}

/** Problems after which the file has to be chosen again. */
export function isOfSource(code: string): boolean {
  return code === 'source_changed' || code === 'source_unreadable';
}
