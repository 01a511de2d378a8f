/** What the one tab does that holds the uploader lock: finds leftovers, sends, beats, deletes what was released. */
import type { ControlPlane, HeartbeatAnswer, Holding } from './control-plane';
import { asProblem, problemOf } from './errors';
import { Heartbeat } from './heartbeat';
import { type Inventory, isSafe, viewOf } from './inventory';
import { type End, type RecordingFacts, type Seal, sealedMs } from './journal';
import { holdLock, lockNames } from './locks';
import { toRanges } from './ranges';
import type { Spool, SpooledRecording } from './spool';
import type { Problem, StorageReport } from './types';
import { Uploader } from './uploader';

/** The worker around it. */
export interface UploadingHost {
  /** The recording is written by this very worker. */
  isLiveHere(id: string): boolean;
  storage(): Promise<StorageReport>;
  recovered(id: string, chunks: number, bytes: number): void;
  completed(id: string): void;
  problem(problem: Problem, id?: string): void;
  limits(id: string, maxChunkBytes: number): void;
  /** Chunks were deleted: a writer that waits for space may go on. */
  freed(): void;
  /** Something that `Standing` shows changed. */
  standing(): void;
}

export interface UploadingOptions {
  parallelPuts: number;
  resumeWindowMs: number;
  signal: AbortSignal;
}

export class Uploading {
  readonly uploader: Uploader;
  readonly #heartbeat: Heartbeat;
  readonly #spool: Spool;
  readonly #inventory: Inventory;
  readonly #host: UploadingHost;
  readonly #options: UploadingOptions;
  #releasesFail = false;

  constructor(spool: Spool, inventory: Inventory, plane: ControlPlane, host: UploadingHost, options: UploadingOptions) {
    this.#spool = spool;
    this.#inventory = inventory;
    this.#host = host;
    this.#options = options;
    this.uploader = new Uploader(plane, spool, this.#uploaderEvents(), options);
    this.#heartbeat = new Heartbeat(plane, spool.recorderId, this.#duties(), options.signal);
  }

  /** Looks through the spool: leftovers are taken up, recordings of living tabs are waited for. */
  async start(): Promise<void> {
    for (const id of await this.#spool.recordingIds()) {
      if (!this.#host.isLiveHere(id)) await this.#takeUp(id);
    }
    this.#heartbeat.soon();
  }

  wake(refused: boolean): void {
    this.uploader.wake(refused);
    this.#heartbeat.wake();
  }

  /** A recording that a living tab writes, with what it has sealed so far. */
  writing(facts: RecordingFacts, seals: readonly Seal[], here: boolean): void {
    this.#inventory.open(facts, { live: true });
    const known = this.uploader.shipment(facts.id) !== undefined;
    this.uploader.open(facts, seals.length > 0).end = null;
    for (const seal of seals) this.sealed(facts.id, seal);
    if (!here && !known) void this.#takeUpWhenFree(facts.id);
    this.#heartbeat.soon();
  }

  sealed(id: string, seal: Seal): void {
    const view = this.#inventory.get(id)?.chunks.get(seal.seq);
    if (view && isSafe(view.state)) return;
    if (!view || view.state === 'writing') this.#inventory.put(id, viewOf(seal, 'on_disk', Date.now()));
    this.uploader.add(id, seal);
  }

  ended(id: string, end: End): void {
    this.#inventory.mark(id, { live: false, end });
    this.uploader.end(id, end);
    void this.#finish(id);
  }

  /** Takes up a recording found on disk, unless a living tab writes it: then it waits for that tab's end. */
  async #takeUp(id: string): Promise<void> {
    const lock = await holdLock(lockNames.recording(this.#spool.owner, id), { ifAvailable: true });
    if (!lock) {
      void this.#takeUpWhenFree(id);
      return;
    }
    try {
      await this.#recover(id, false);
    } catch (error) {
      this.#host.problem(asProblem(error, 'recovery_failed'), id);
    } finally {
      lock.release();
    }
  }

  /** The lock of a recording comes free when its writer ended it or died: the disk tells which. */
  async #takeUpWhenFree(id: string): Promise<void> {
    try {
      const lock = await holdLock(lockNames.recording(this.#spool.owner, id), { signal: this.#options.signal });
      try {
        await this.#recover(id, true);
      } finally {
        lock?.release();
      }
    } catch (error) {
      if (!this.#options.signal.aborted) this.#host.problem(asProblem(error, 'recovery_failed'), id);
    }
  }

  /** The caller holds the recording's lock. `wasLive`: a tab of this visit wrote it. */
  async #recover(id: string, wasLive: boolean): Promise<void> {
    const found = await this.#spool.load(id);
    if (!found) {
      if (!wasLive) await this.#spool.remove(id); // A start that a crash cut off before anything was recorded.
      return;
    }
    await this.#spool.finishReleases(id, found);
    const orphaned = found.journal.end === null;
    const waits = orphaned && this.#options.resumeWindowMs > 0;
    const settled = await this.#settle(id, found, orphaned, waits);
    const lost = this.#show(found, settled, !wasLive || orphaned);
    const shipment = this.uploader.open(found.facts, true);
    shipment.completed ||= found.releases.complete;
    for (const seal of settled.seals) if (found.files.has(seal.seq)) this.uploader.add(id, seal);
    if (settled.end) this.uploader.end(id, settled.end);
    if (waits) this.#endLater(id);
    if (lost > 0) this.#host.problem(problemOf('chunk_vanished', `${lost} chunks`), id);
    if (!wasLive || orphaned) this.#announce(id);
    await this.#finish(id);
  }

  async #settle(id: string, found: SpooledRecording, orphaned: boolean, waits: boolean) {
    if (!orphaned && !found.journal.open) return { seals: found.journal.seals, end: found.journal.end };
    const settled = await this.#spool.settle(id, !waits);
    for (const seal of settled.seals.slice(found.journal.seals.length)) {
      found.files.set(seal.seq, { name: '', size: seal.size });
    }
    return settled;
  }

  /** Puts what was found into the inventory. Answers how many chunks are gone that nobody released. */
  #show(found: SpooledRecording, settled: { seals: Seal[]; end: End | null }, recovered: boolean): number {
    const { id } = found.facts;
    const { complete, released } = found.releases;
    const held = settled.seals.filter(({ seq }) => !released.has(seq)).length;
    const marks = { live: false, end: settled.end, complete, recovered: recovered && (held > 0 || !complete) };
    const entry = this.#inventory.open(found.facts, marks);
    let lost = 0;
    for (const seal of settled.seals) {
      const view = entry.chunks.get(seal.seq);
      const isReleased = released.has(seal.seq);
      if (!isReleased && !found.files.has(seal.seq)) lost += 1;
      if (!view || view.state === 'writing' || isReleased) {
        this.#inventory.put(id, viewOf(seal, isReleased ? 'released' : 'on_disk', Date.now()));
      }
    }
    this.#inventory.mark(id, { durationMs: sealedMs(settled.seals), paused: false });
    return lost;
  }

  #announce(id: string): void {
    const entry = this.#inventory.get(id);
    const left = [...(entry?.chunks.values() ?? [])].filter(({ state }) => !isSafe(state));
    const bytes = left.reduce((sum, { size }) => sum + size, 0);
    if (left.length > 0 || !entry?.complete) this.#host.recovered(id, left.length, bytes);
  }

  /** A page may resume a recording for a while before it is ended with what it has. */
  #endLater(id: string): void {
    const timer = setTimeout(() => void this.#endNow(id), this.#options.resumeWindowMs);
    this.#options.signal.addEventListener('abort', () => clearTimeout(timer));
  }

  async #endNow(id: string): Promise<void> {
    const lock = await holdLock(lockNames.recording(this.#spool.owner, id), { ifAvailable: true });
    if (!lock) return; // Resumed: its own writer ends it.
    try {
      const settled = await this.#spool.settle(id, true);
      for (const seal of settled.seals) this.sealed(id, seal);
      if (settled.end) this.ended(id, settled.end);
    } catch (error) {
      this.#host.problem(asProblem(error, 'recovery_failed'), id);
    } finally {
      lock.release();
    }
  }

  #duties() {
    return {
      needed: () => this.uploader.shipments().some((shipment) => shipment.heldCount > 0 || !shipment.completed),
      holding: () => this.#holding(),
      storage: () => this.#host.storage(),
      handle: (answer: HeartbeatAnswer) => this.#handle(answer),
      trouble: (problem: Problem) => this.#host.problem(problem),
    };
  }

  #holding(): Holding[] {
    const holding: Holding[] = [];
    for (const shipment of this.uploader.shipments()) {
      const open = shipment.end === null && !shipment.completed;
      if (!shipment.started || (shipment.heldCount === 0 && !open)) continue;
      holding.push({ recording_id: shipment.id, ranges: toRanges(shipment.held()), open });
    }
    return holding;
  }

  async #handle(answer: HeartbeatAnswer): Promise<void> {
    this.uploader.setServerTime(answer.server_time);
    for (const ticket of answer.tickets) {
      if (!this.uploader.serve(ticket)) this.#heartbeat.gone(ticket.id);
    }
    for (const { recording_id, chunks } of answer.releases) await this.#release(recording_id, chunks);
    for (const id of answer.discard) await this.#discard(id);
    for (const notice of answer.notices) {
      if (notice.code === 'recording_unknown' && notice.recording_id) this.uploader.restart(notice.recording_id);
    }
  }

  /** Deletes released chunks where the digest is equal. A failure keeps them held: they are released again. */
  async #release(id: string, chunks: readonly (readonly [number, string])[]): Promise<void> {
    const shipment = this.uploader.shipment(id);
    const seals = shipment?.releasable(chunks) ?? [];
    if (!shipment || seals.length === 0) return;
    for (const { seq } of seals) this.#inventory.move(id, seq, 'confirmed');
    try {
      await this.#spool.release(id, seals);
      this.#releasesFail = false;
    } catch (error) {
      // Every heartbeat brings the release again; saying so once is enough.
      if (!this.#releasesFail) this.#host.problem(asProblem(error, 'releases_failed'), id);
      this.#releasesFail = true;
      return;
    }
    for (const { seq } of seals) {
      shipment.drop(seq);
      this.#inventory.move(id, seq, 'released');
    }
    this.#host.freed();
    await this.#finish(id);
    this.uploader.pump();
  }

  /** A recording that is complete and wholly released needs no directory any more. */
  async #finish(id: string): Promise<void> {
    const shipment = this.uploader.shipment(id);
    const entry = this.#inventory.get(id);
    if (!shipment?.finished || !entry || entry.live || this.#host.isLiveHere(id)) return;
    if (![...entry.chunks.values()].every(({ state }) => state === 'released')) return;
    this.#inventory.mark(id, { recovered: false });
    this.uploader.close(id);
    await this.#remove(id);
  }

  /** The owner deleted the recording: the one other thing that may delete chunks. A living writer ends first. */
  async #discard(id: string): Promise<void> {
    const lock = await holdLock(lockNames.recording(this.#spool.owner, id), { ifAvailable: true });
    if (!lock) {
      this.#inventory.mark(id, { stuck: true, problem: problemOf('recording_deleted') });
      return;
    }
    try {
      this.uploader.close(id);
      if (await this.#remove(id)) {
        this.#inventory.forget(id);
        this.#host.problem(problemOf('recording_deleted'), id);
        this.#host.freed();
      }
    } finally {
      lock.release();
    }
  }

  async #remove(id: string): Promise<boolean> {
    try {
      await this.#spool.remove(id);
      return true;
    } catch (error) {
      this.#host.problem(asProblem(error, 'releases_failed'), id);
      return false;
    }
  }

  async #onCompleted(id: string): Promise<void> {
    this.#inventory.mark(id, { complete: true, stuck: false, problem: undefined });
    this.#host.completed(id);
    try {
      await this.#spool.note(id, { t: 'complete' });
    } catch (error) {
      // The next visit asks the control plane, which knows; until then it shows as not complete.
      this.#host.problem(asProblem(error, 'releases_failed'), id);
    }
    await this.#finish(id);
  }

  async #whileEnded(id: string, work: () => Promise<void>): Promise<boolean> {
    const lock = await holdLock(lockNames.recording(this.#spool.owner, id), { ifAvailable: true });
    if (!lock) return false;
    try {
      await this.#spool.note(id, { t: 'completing' });
      await work();
      return true;
    } finally {
      lock.release();
    }
  }

  #uploaderEvents() {
    return {
      chunk: this.#inventory.move.bind(this.#inventory),
      acked: () => this.#heartbeat.soon(),
      completed: (id: string) => void this.#onCompleted(id),
      deleted: (id: string) => void this.#discard(id),
      limits: (id: string, maxChunkBytes: number) => this.#host.limits(id, maxChunkBytes),
      interval: (ms: number) => {
        this.#heartbeat.setIntervalMs(ms);
        this.#heartbeat.soon();
      },
      stuck: (id: string, problem: Problem) => {
        this.#inventory.mark(id, { stuck: true, problem });
        this.#host.problem(problem, id);
      },
      trouble: (id: string, problem: Problem | null) => {
        const before = this.#inventory.get(id)?.problem;
        this.#inventory.mark(id, problem ? { problem } : { problem: undefined, stuck: false });
        if (problem && before?.code !== problem.code) this.#host.problem(problem, id || undefined);
      },
      standing: () => this.#host.standing(),
      whileEnded: (id: string, work: () => Promise<void>) => this.#whileEnded(id, work),
    };
  }
}
