/** Lets go of what was released: from the disk, or as spare copies; then of recordings of which nothing is left to do. */
import { asTrouble, isStorageFull, type Trouble } from './failure';
import { type Inventory, isSafe } from './inventory';
import type { Seal } from './journal';
import type { Kept } from './kept';
import { lockNames, underLock } from './locks';
import type { Spool } from './spool';
import type { Uploader } from './uploader';

/** The worker around it. */
export interface ReleasingHost {
  /** The recording is written by this very worker. */
  isLiveHere(id: string): boolean;
  /** The disk is full: frees all kept copies, and answers whether there were any. */
  freeKept(): Promise<boolean>;
  problem(problem: Trouble, id: string): void;
  /** Chunks were deleted: a writer that waits for space may go on. */
  freed(): void;
}

/** Whoever calls sees to it that one of its methods runs at a time. */
export class Releasing {
  readonly #spool: Spool;
  readonly #inventory: Inventory;
  readonly #uploader: Uploader;
  readonly #kept: Kept;
  readonly #host: ReleasingHost;
  #fails = false;

  constructor(spool: Spool, inventory: Inventory, uploader: Uploader, kept: Kept, host: ReleasingHost) {
    this.#spool = spool;
    this.#inventory = inventory;
    this.#uploader = uploader;
    this.#kept = kept;
    this.#host = host;
  }

  /** Deletes released chunks where the digest is equal, or keeps them for as long as there is room. A failure keeps them held: they are released again. */
  async release(id: string, chunks: readonly (readonly [number, string])[]): Promise<void> {
    const shipment = this.#uploader.shipment(id);
    const seals = shipment?.releasable(chunks) ?? [];
    if (!shipment || seals.length === 0) return;
    for (const { seq } of seals) this.#inventory.move(id, seq, 'confirmed');
    try {
      await this.#letGo(id, seals).catch(async (error: unknown) => {
        if (!isStorageFull(error) || !(await this.#host.freeKept())) throw error;
        await this.#spool.release(id, seals);
      });
      this.#fails = false;
    } catch (error) {
      // Every heartbeat brings the release again; saying so once is enough.
      if (!this.#fails) this.#host.problem(asTrouble(error, 'releases_failed'), id);
      this.#fails = true;
      return;
    }
    for (const { seq } of seals) {
      shipment.drop(seq);
      this.#inventory.move(id, seq, 'released');
    }
    this.#host.freed();
    await this.finish(id);
    this.#uploader.pump();
  }

  /** Files are not kept: whoever uploads one has it. */
  async #letGo(id: string, seals: readonly Seal[]): Promise<void> {
    if (this.#inventory.get(id)?.facts.file || !this.#kept.wanted) {
      await this.#spool.release(id, seals);
      return;
    }
    const at = Date.now();
    await underLock(lockNames.kept, async () => {
      if (await this.#spool.release(id, seals, { kept: at }))
        this.#kept.add(
          id,
          seals.map((seal) => ({ seal, at })),
        );
    });
    await this.#kept.trim();
  }

  /** A recording that is complete and wholly released needs no directory any more, unless something of it is kept. */
  async finish(id: string): Promise<void> {
    const shipment = this.#uploader.shipment(id);
    const entry = this.#inventory.get(id);
    if (!shipment?.finished || !entry || entry.live || this.#host.isLiveHere(id)) return;
    if (![...entry.chunks.values()].every(({ state }) => isSafe(state))) return;
    this.#inventory.mark(id, { recovered: false });
    this.#uploader.close(id);
    if (!this.#kept.has(id)) await this.#remove(id);
  }

  async #remove(id: string): Promise<void> {
    try {
      await this.#spool.remove(id);
    } catch (error) {
      this.#host.problem(asTrouble(error, 'releases_failed'), id);
    }
  }
}
