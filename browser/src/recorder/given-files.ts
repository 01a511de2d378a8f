/** The files that this worker can read from, by the id of their upload, and their chunks: from OPFS where copied, else from the file. */
import type { ChunkSource } from './consignment';
import { Failure } from './failure';
import { FileSource } from './file-source';
import type { Inventory } from './inventory';
import type { Seal } from './journal';
import type { Spool } from './spool';

export class GivenFiles implements ChunkSource {
  readonly #inventory: Inventory;
  readonly #spool: () => Spool;
  /** Those of this tab, and those that other tabs were given. */
  readonly #files = new Map<string, File>();

  constructor(inventory: Inventory, spool: () => Spool) {
    this.#inventory = inventory;
    this.#spool = spool;
  }

  get(id: string): File | undefined {
    return this.#files.get(id);
  }

  has(id: string): boolean {
    return this.#files.has(id);
  }

  take(id: string, file: File): void {
    this.#files.set(id, file);
  }

  /** Answers false for one that was not here. */
  forget(id: string): boolean {
    return this.#files.delete(id);
  }

  /** A seal of an upload whose file is at hand, also of a chunk that was released: for a ticket. */
  sealOf(id: string, seq: number): Seal | null {
    const chunk = this.#inventory.get(id)?.chunks.get(seq);
    if (!chunk?.sha256 || !this.has(id)) return null;
    const { segment, size, sha256, startMs, durationMs } = chunk;
    return { seq, segment, size, sha256, startMs, durationMs, held: false };
  }

  async chunkFile(id: string, seal: Seal): Promise<Blob> {
    const source = this.#sourceOf(id);
    if (seal.held === false) return present(source).body(seal.seq);
    try {
      return await this.#spool().chunkFile(id, seal);
    } catch (error) {
      if (source && (await source.isIntact(seal))) return source.body(seal.seq);
      throw error;
    }
  }

  async isIntact(id: string, seal: Seal): Promise<boolean> {
    if (seal.held !== false) return this.#spool().isIntact(id, seal);
    if (await present(this.#sourceOf(id)).isIntact(seal)) return true;
    throw new Failure('source_changed', `chunk ${seal.seq} differs`);
  }

  #sourceOf(id: string): FileSource | null {
    const file = this.#files.get(id);
    const facts = this.#inventory.get(id)?.facts.file;
    return file && facts ? new FileSource(file, facts) : null;
  }
}

function present(source: FileSource | null): FileSource {
  if (!source) throw new Failure('source_unreadable', 'it has to be chosen again');
  return source;
}
