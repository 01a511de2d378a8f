/** Deletions as one worker sees them: asked for by its page, told by another tab, or by the control plane. */
import type { ControlPlane } from './control-plane';
import { assertUnknownAtServer, deleteAtServer } from './deletion';
import { dropIfFree } from './dropping';
import { asTrouble, type Trouble } from './failure';
import type { Inventory } from './inventory';
import type { HeldLock } from './locks';
import type { Spool } from './spool';
import type { BetweenTabs, ToWorker } from './spool-protocol';
import type { RecordingDeleted } from './types';

/** The worker around it. */
export interface DeletionsHost {
  plane(): ControlPlane;
  spool(): Spool;
  /** Has the uploading in this worker drop a recording; null while another tab uploads. */
  uploader(): { discard(id: string): Promise<void> } | null;
  toTabs(message: BetweenTabs): void;
  tell(event: RecordingDeleted): void;
  problem(problem: Trouble, id: string): void;
}

/** What this worker writes at present, by recording. */
export interface Written {
  get(id: string): { recording: { abandon(): Promise<void> }; lock: HeldLock } | undefined;
  delete(id: string): unknown;
}

export class Deletions {
  readonly #inventory: Inventory;
  readonly #live: Written;
  readonly #host: DeletionsHost;
  readonly #stop: AbortSignal;
  /** Asked for by this tab's page. */
  readonly #requested = new Set<string>();
  /** Told to the page: what another tab says of one of these is out of date. */
  readonly #told = new Set<string>();
  readonly #waiting = new Map<number, AbortController>();

  /** `live` are the recordings that this worker writes, and the files it reads. */
  constructor(inventory: Inventory, live: Written, host: DeletionsHost, stop: AbortSignal) {
    this.#inventory = inventory;
    this.#live = live;
    this.#host = host;
    this.#stop = stop;
  }

  /** The server first: only once it has agreed does anything here go. @throws Failure. */
  async delete({ request, id, localOnly }: Extract<ToWorker, { type: 'delete' }>): Promise<undefined> {
    const plane = this.#host.plane();
    const waiting = new AbortController();
    this.#waiting.set(request, waiting);
    const signal = AbortSignal.any([waiting.signal, this.#stop]);
    try {
      if (localOnly) await assertUnknownAtServer(plane, id, signal);
      else await deleteAtServer(plane, id, signal);
    } finally {
      this.#waiting.delete(request);
    }
    this.#requested.add(id);
    try {
      await this.#discard(id);
    } finally {
      this.#requested.delete(id);
    }
  }

  /** The page waits no longer. */
  giveUp(request: number): void {
    this.#waiting.get(request)?.abort();
  }

  /** Drops what this device holds, by whichever tab holds it. */
  async #discard(id: string): Promise<void> {
    const uploader = this.#host.uploader();
    if (uploader) return uploader.discard(id);
    this.#host.toTabs({ type: 'deleted', id });
    // The uploading tab may be asleep or just gone: the files do not wait for it.
    await this.#orSay(id, async () => {
      if (!(await this.dropLive(id))) await dropIfFree(this.#host.spool(), id);
    });
    this.onDeleted(id);
  }

  /** Stops writing a recording in this very worker and removes it; false when it is not written here. */
  async dropLive(id: string): Promise<boolean> {
    const live = this.#live.get(id);
    if (!live) return false;
    this.#live.delete(id);
    try {
      await live.recording.abandon();
      await this.#host.spool().discard(id);
    } finally {
      live.lock.release();
    }
    return true;
  }

  /** What was held of it is gone: tells the page, once. */
  onDeleted(id: string): void {
    const entry = this.#inventory.get(id);
    if (!entry) return;
    this.#told.add(id);
    this.#inventory.forget(id);
    const { title } = entry.facts;
    const { durationMs, live: wasRecording } = entry;
    const requested = this.#requested.has(id);
    this.#host.tell({ type: 'deleted', recordingId: id, title, durationMs, wasRecording, requested });
  }

  wasTold(id: string): boolean {
    return this.#told.has(id);
  }

  async onDeletedElsewhere(id: string): Promise<void> {
    await this.#orSay(id, async () => {
      const uploader = this.#host.uploader();
      if (uploader) await uploader.discard(id);
      else if (await this.dropLive(id)) this.onDeleted(id);
    });
  }

  /** What is left is finished at the next visit: a failure is said, and the deletion stands. */
  async #orSay(id: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#host.problem(asTrouble(error, 'discard_failed'), id);
    }
  }
}
