/** What the one tab does that holds the uploader lock: finds leftovers, sends, beats, deletes what was released. */
import type { ControlPlane, HeartbeatAnswer, Holding, RecordingStatus } from './control-plane';
import { asProblem } from './errors';
import { Heartbeat } from './heartbeat';
import { type Inventory, isSafe, viewOf } from './inventory';
import type { End, RecordingFacts, Seal } from './journal';
import { type HeldLock, holdLock, lockNames } from './locks';
import { inRanges, toRanges } from './ranges';
import { Recovery } from './recovery';
import type { Spool } from './spool';
import type { OverQuota, Problem, StorageReport } from './types';
import { Uploader } from './uploader';

/** The worker around it. */
export interface UploadingHost {
  /** The recording is written by this very worker. */
  isLiveHere(id: string): boolean;
  storage(): Promise<StorageReport>;
  recovered(id: string, chunks: number, bytes: number): void;
  completed(id: string): void;
  problem(problem: Problem, id?: string): void;
  overQuota(quota: OverQuota | null): void;
  /** Stops writing a recording in this very worker and removes it; false when it is not written here. */
  dropLive(id: string): Promise<boolean>;
  /** Another tab writes it: has that one drop it. */
  askWriter(id: string): void;
  /** What was held of it is gone: it is shown no more. */
  deleted(id: string): void;
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
  readonly #recovery: Recovery;
  readonly #spool: Spool;
  readonly #inventory: Inventory;
  readonly #host: UploadingHost;
  readonly #signal: AbortSignal;
  #releasesFail = false;
  #turn: Promise<void> = Promise.resolve();

  constructor(spool: Spool, inventory: Inventory, plane: ControlPlane, host: UploadingHost, options: UploadingOptions) {
    this.#spool = spool;
    this.#inventory = inventory;
    this.#host = host;
    this.#signal = options.signal;
    this.uploader = new Uploader(plane, spool, this.#uploaderEvents(), options);
    this.#recovery = new Recovery(spool, inventory, this.uploader, this.#recoveryEvents(), options);
    this.#heartbeat = new Heartbeat(plane, spool.recorderId, this.#duties(), options.signal);
  }

  /** Looks through the spool: leftovers are taken up, recordings of living tabs are waited for. */
  async start(): Promise<void> {
    for (const id of await this.#spool.recordingIds()) {
      if (!this.#host.isLiveHere(id)) await this.#recovery.takeUp(id);
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
    if (!here && !known) void this.#recovery.takeUpWhenFree(facts.id);
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
    void this.#inTurn(() => this.#finish(id));
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

  /** Releases, notes and removals of one recording share files and its directory: one at a time. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.then(
      () => undefined,
      () => undefined, // Whoever asked for the work hears of its failure.
    );
    return done;
  }

  async #handle(answer: HeartbeatAnswer): Promise<void> {
    this.uploader.setServerTime(answer.server_time);
    for (const ticket of answer.tickets) {
      if (!this.uploader.serve(ticket)) this.#heartbeat.gone(ticket.id);
    }
    for (const { recording_id, chunks } of answer.releases)
      await this.#inTurn(() => this.#release(recording_id, chunks));
    for (const id of answer.discard) await this.discard(id);
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
    if (![...entry.chunks.values()].every(({ state }) => isSafe(state))) return;
    this.#inventory.mark(id, { recovered: false });
    this.uploader.close(id);
    await this.#remove(id);
  }

  /** The owner deleted the recording: the one other thing that may delete chunks. A living writer lets go first. */
  discard(id: string): Promise<void> {
    return this.#inTurn(() => this.#discard(id));
  }

  async #discard(id: string): Promise<void> {
    const known = this.#inventory.get(id);
    this.uploader.close(id);
    this.uploader.roomFreed();
    try {
      await this.#drop(id);
    } catch (error) {
      // What is left is finished at the next visit; it is not sent any more.
      this.#host.problem(asProblem(error, 'discard_failed'), id);
    }
    this.#host.freed();
    if (known) this.#host.deleted(id);
  }

  /** Removes what is on disk, by whoever holds the recording's lock: this worker, nobody, or another tab's writer. */
  async #drop(id: string): Promise<void> {
    if (await this.#host.dropLive(id)) return;
    const lock = await holdLock(lockNames.recording(this.#spool.owner, id), { ifAvailable: true });
    if (lock) return this.#dropUnder(lock, id);
    this.#host.askWriter(id);
    void this.#dropWhenFree(id);
  }

  /** The writer drops it when it is told; one that is frozen or dead by then leaves it to this. */
  async #dropWhenFree(id: string): Promise<void> {
    try {
      const lock = await holdLock(lockNames.recording(this.#spool.owner, id), { signal: this.#signal });
      if (lock) await this.#inTurn(() => this.#dropUnder(lock, id));
    } catch (error) {
      if (!this.#signal.aborted) this.#host.problem(asProblem(error, 'discard_failed'), id);
    }
  }

  async #dropUnder(lock: HeldLock, id: string): Promise<void> {
    try {
      await this.#spool.discard(id);
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

  /** Chunks that are neither here nor released (the browser evicted them): the control plane may have them. */
  #onStatus(id: string, status: RecordingStatus): void {
    const shipment = this.uploader.shipment(id);
    for (const { seq, state } of this.#inventory.get(id)?.chunks.values() ?? []) {
      if (state !== 'on_disk' || shipment?.parcel(seq)) continue;
      if (inRanges(status.confirmed, seq)) this.#inventory.move(id, seq, 'confirmed');
      else if (inRanges(status.received, seq)) this.#inventory.move(id, seq, 'acked');
    }
  }

  async #onCompleted(id: string): Promise<void> {
    if (!this.#inventory.get(id)) return; // Deleted meanwhile: there is nothing left to note.
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
      await this.#inTurn(() => this.#spool.note(id, { t: 'completing' }));
      await work();
      return true;
    } finally {
      lock.release();
    }
  }

  #recoveryEvents() {
    return {
      recovered: (id: string, chunks: number, bytes: number) => this.#host.recovered(id, chunks, bytes),
      problem: (problem: Problem, id: string) => this.#host.problem(problem, id),
      takenUp: (id: string) => this.#inTurn(() => this.#finish(id)),
    };
  }

  #uploaderEvents() {
    return {
      chunk: this.#inventory.move.bind(this.#inventory),
      acked: () => this.#heartbeat.soon(),
      completed: (id: string) => void this.#inTurn(() => this.#onCompleted(id)),
      deleted: (id: string) => void this.discard(id),
      overQuota: (quota: OverQuota | null) => this.#host.overQuota(quota),
      status: (id: string, status: RecordingStatus) => this.#onStatus(id, status),
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
