/** What the one tab does that holds the uploader lock: finds leftovers, sends, beats, deletes what was released. */
import type { ControlPlane, HeartbeatAnswer, Holding, RecordingStatus, Ticket } from './control-plane';
import { dropIfFree, dropWhenFree } from './dropping';
import { asTrouble, type Trouble, troubleOf } from './failure';
import { isOfSource } from './file-source';
import { FileStatus, type FilesBeside } from './file-status';
import { Heartbeat } from './heartbeat';
import { type Inventory, isSafe, viewOf } from './inventory';
import type { End, RecordingFacts, Seal } from './journal';
import { Kept } from './kept';
import { holdLock, lockNames } from './locks';
import { inRanges, toRanges } from './ranges';
import { Recovery } from './recovery';
import { refile } from './refiling';
import { Releasing, type ReleasingHost } from './releasing';
import type { Spool } from './spool';
import type { OverQuota, StorageReport } from './types';
import { Uploader } from './uploader';

/** The worker around it. */
export interface UploadingHost extends ReleasingHost {
  storage(): Promise<StorageReport>;
  /** How many bytes of released chunks may stay now, when so many do. */
  keepBytes(keptBytes: number): number;
  recovered(id: string, chunks: number, bytes: number): void;
  completed(id: string): void;
  problem(problem: Trouble, id?: string): void;
  overQuota(quota: OverQuota | null): void;
  /** Stops writing a recording in this very worker and removes it; false when it is not written here. */
  dropLive(id: string): Promise<boolean>;
  /** Another tab writes it: has that one drop it. */
  askWriter(id: string): void;
  /** What was held of it is gone: it is shown no more. */
  deleted(id: string): void;
  limits(id: string, maxChunkBytes: number): void;
  /** Something that `Standing` shows changed. */
  standing(): void;
}

export interface UploadingOptions {
  parallelPuts: number;
  resumeWindowMs: number;
  signal: AbortSignal;
  files?: FilesBeside;
}

export class Uploading {
  readonly uploader: Uploader;
  readonly kept: Kept;
  readonly #heartbeat: Heartbeat;
  readonly #recovery: Recovery;
  readonly #releasing: Releasing;
  readonly #fileStatus: FileStatus;
  readonly #spool: Spool;
  readonly #inventory: Inventory;
  readonly #host: UploadingHost;
  readonly #signal: AbortSignal;
  readonly #files: FilesBeside | null;
  /** The last heartbeat named something as held; the control plane may believe so. */
  #named = false;
  #believed = false;
  #turn: Promise<void> = Promise.resolve();

  constructor(spool: Spool, inventory: Inventory, plane: ControlPlane, host: UploadingHost, options: UploadingOptions) {
    this.#spool = spool;
    this.#inventory = inventory;
    this.#host = host;
    this.#signal = options.signal;
    this.#files = options.files ?? null;
    this.uploader = new Uploader(plane, options.files?.given ?? spool, this.#uploaderEvents(), options);
    this.kept = new Kept(spool, {
      keepBytes: (bytes) => host.keepBytes(bytes),
      problem: (problem) => host.problem(problem),
      changed: () => host.standing(),
    });
    this.#releasing = new Releasing(spool, inventory, this.uploader, this.kept, host);
    this.#fileStatus = this.#newFileStatus(plane);
    this.#recovery = new Recovery(spool, inventory, this.uploader, this.#recoveryEvents(), options);
    this.#heartbeat = new Heartbeat(plane, spool.recorderId, this.#duties(), options.signal);
  }

  #newFileStatus(plane: ControlPlane): FileStatus {
    const answered = async (id: string, status: RecordingStatus) => {
      this.#onStatus(id, status);
      await this.#inTurn(() => this.#releasing.finish(id));
    };
    return new FileStatus(this.#inventory, this.uploader, plane, this.#files, answered, this.#signal);
  }

  /** Looks through the spool: leftovers are taken up, recordings of living tabs are waited for. */
  async start(): Promise<void> {
    for (const id of await this.#spool.recordingIds()) {
      await this.kept.find(id);
      if (!this.#host.isLiveHere(id)) await this.#recovery.takeUp(id);
    }
    await this.#inTurn(() => this.kept.trim());
    this.#heartbeat.soon();
  }

  /** Some tab freed what was kept, for room: what of it is left is looked for. */
  async onKeptFreed(): Promise<void> {
    const ids = [...this.kept.holding()].map(([id]) => id);
    this.kept.forget();
    await this.#inTurn(async () => {
      for (const id of ids) {
        await this.kept.find(id);
        if (!this.kept.has(id)) await this.kept.tidy(id);
      }
    });
  }

  wake(refused: boolean): void {
    this.uploader.wake(refused);
    this.#heartbeat.wake();
  }

  /** A recording that a living tab writes, with what it has sealed so far. */
  writing(facts: RecordingFacts, seals: readonly Seal[], here: boolean): void {
    this.#inventory.open(facts, { live: facts.file === undefined });
    const known = this.uploader.shipment(facts.id) !== undefined;
    this.uploader.open(facts, seals.length > 0).end = null;
    if (facts.file) this.uploader.hold(facts.id, this.#inventory.get(facts.id)?.file?.paused ?? false);
    for (const seal of seals) this.sealed(facts.id, seal);
    if (!here && (!known || facts.file)) void this.#recovery.takeUpWhenFree(facts.id);
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
    void this.#inTurn(() => this.#releasing.finish(id));
  }

  /** All of a file is sealed, though not all of it may be here. */
  endIfSent(id: string): void {
    this.#fileStatus.endIfSent(id);
  }

  #duties() {
    return {
      needed: () =>
        this.#believed ||
        this.kept.totals.chunks > 0 ||
        this.uploader.shipments().some((shipment) => shipment.heldCount > 0 || !shipment.completed),
      calm: () => this.kept.totals.chunks > 0 && this.uploader.shipments().length === 0,
      holding: () => this.#holding(),
      storage: () => this.#lookAtRoom(),
      handle: (answer: HeartbeatAnswer) => this.#handle(answer),
      trouble: (problem: Trouble) => this.#host.problem(problem),
    };
  }

  #holding(): Holding[] {
    const holding: Holding[] = [];
    const kept = new Map(
      [...this.kept.holding()].map(([id, ranges]) => [id, { kept: ranges.map(([a, b]) => [a, b]) }]),
    );
    for (const shipment of this.uploader.shipments()) {
      const { id } = shipment;
      const open = shipment.end === null && !shipment.completed;
      const spare = kept.get(id);
      kept.delete(id);
      if (!shipment.started || (shipment.heldCount === 0 && !open && !spare)) continue;
      holding.push({ recording_id: id, ranges: toRanges(shipment.held()), open, ...spare });
    }
    for (const [id, spare] of kept) holding.push({ recording_id: id, ranges: [], open: false, ...spare });
    this.#named = holding.length > 0;
    this.#believed ||= this.#named;
    return holding;
  }

  /** Looked at with each heartbeat: what is kept shrinks as room does. */
  async #lookAtRoom(): Promise<StorageReport> {
    const report = await this.#host.storage();
    await this.#inTurn(() => this.kept.trim());
    return report;
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
    this.#believed = this.#named;
    for (const ticket of answer.tickets) {
      if (!(await this.#serve(ticket))) this.#heartbeat.gone(ticket.id);
    }
    for (const { recording_id, chunks } of answer.releases)
      await this.#inTurn(() => this.#releasing.release(recording_id, chunks));
    for (const id of answer.discard) await this.discard(id);
    for (const notice of answer.notices) {
      if (notice.code === 'recording_unknown' && notice.recording_id) this.uploader.restart(notice.recording_id);
    }
  }

  /** What was released and kept is held again; a chunk of a file that was released is taken from the file, while that is at hand. */
  async #serve(ticket: Ticket): Promise<boolean> {
    if (this.uploader.serve(ticket)) return true;
    const { recording_id: id, seq, sha256 } = ticket;
    const kept = await this.#inTurn(() => this.kept.takeBack(id, seq, sha256));
    if (kept && (this.uploader.shipment(id) || (await this.#reopen(id)))) {
      this.uploader.add(id, kept.seal);
      return this.uploader.serve(ticket);
    }
    const seal = this.#files?.given.sealOf(id, seq);
    if (seal?.sha256 !== sha256 || !this.uploader.shipment(id)) return false;
    this.uploader.add(id, seal);
    return this.uploader.serve(ticket);
  }

  /** A recording that was over is shown and sent again: the bucket lost some of it. */
  async #reopen(id: string): Promise<boolean> {
    const found = await this.#spool.load(id);
    if (!found) return false;
    const { facts, journal, releases } = found;
    const entry = this.#inventory.open(facts, { end: journal.end, complete: releases.complete });
    for (const seal of journal.seals) {
      if (!entry.chunks.has(seal.seq)) this.#inventory.put(id, viewOf(seal, 'released', Date.now()));
    }
    const shipment = this.uploader.open(facts, true);
    shipment.started = true; // Whoever asks for a chunk of it knows it.
    shipment.completed ||= releases.complete;
    shipment.contested ||= releases.contested;
    shipment.end = journal.end;
    return true;
  }

  /** The file of an upload is not at hand any more. */
  withoutSource(id: string): void {
    this.#fileStatus.withoutSource(id);
  }

  /** The owner deleted the recording: the one other thing that may delete chunks. A living writer lets go first. */
  discard(id: string): Promise<void> {
    return this.#inTurn(() => this.#discard(id));
  }

  async #discard(id: string): Promise<void> {
    const known = this.#inventory.get(id);
    this.uploader.close(id);
    this.kept.forget(id);
    this.uploader.roomFreed();
    try {
      // By whoever holds the recording: this worker, nobody, or another tab's writer.
      if (!(await this.#host.dropLive(id)) && !(await dropIfFree(this.#spool, id))) {
        this.#host.askWriter(id);
        void this.#dropWhenFree(id);
      }
    } catch (error) {
      // What is left is finished at the next visit; it is not sent any more.
      this.#host.problem(asTrouble(error, 'discard_failed'), id);
    }
    this.#host.freed();
    if (known) this.#host.deleted(id);
  }

  /** The writer drops it when it is told; one that is frozen or dead by then leaves it to this. */
  async #dropWhenFree(id: string): Promise<void> {
    try {
      await dropWhenFree(this.#spool, id, this.#signal, (work) => this.#inTurn(work));
    } catch (error) {
      if (!this.#signal.aborted) this.#host.problem(asTrouble(error, 'discard_failed'), id);
    }
  }

  /** Chunks that are neither here nor released (the browser evicted them): the control plane may have them. */
  #onStatus(id: string, status: RecordingStatus): void {
    const shipment = this.uploader.shipment(id);
    for (const { seq, state } of this.#inventory.get(id)?.chunks.values() ?? []) {
      if ((state !== 'on_disk' && state !== 'acked') || shipment?.parcel(seq)) continue;
      if (inRanges(status.confirmed, seq)) this.#inventory.move(id, seq, 'confirmed');
      else if (inRanges(status.received, seq)) this.#inventory.move(id, seq, 'acked');
    }
    this.#fileStatus.take(id, status);
  }

  async #onCompleted(id: string): Promise<void> {
    if (!this.#inventory.get(id)) return; // Deleted meanwhile: there is nothing left to note.
    this.#inventory.mark(id, { complete: true, stuck: false, problem: undefined });
    this.#host.completed(id);
    await this.#files?.onCompleted(id).catch((error: unknown) => {
      this.#host.problem(asTrouble(error, 'unexpected'), id);
    });
    try {
      await this.#spool.note(id, { t: 'complete' });
    } catch (error) {
      // The next visit asks the control plane, which knows; until then it shows as not complete.
      this.#host.problem(asTrouble(error, 'releases_failed'), id);
    }
    await this.#releasing.finish(id);
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

  /** Where it fails the chunks stay as they are, refused and shown: it is tried again at the next visit, or when asked. */
  async #refile(id: string, seals: readonly Seal[]): Promise<void> {
    const shipment = this.uploader.shipment(id);
    const facts = this.#inventory.get(id)?.facts;
    const lock = await holdLock(lockNames.recording(this.#spool.owner, id), { signal: this.#signal });
    try {
      if (!shipment || !facts) return;
      const copy = await this.#inTurn(() => refile(this.#spool, facts, seals));
      shipment.onRefiled(seals);
      for (const { seq } of seals) this.#inventory.move(id, seq, 'released');
      this.#inventory.mark(id, { stuck: false, problem: undefined });
      this.#host.problem(troubleOf('recording_refiled'), copy);
      await this.#recovery.takeUp(copy);
    } catch (error) {
      this.#host.problem(asTrouble(error, 'recovery_failed'), id);
    } finally {
      lock?.release();
    }
    await this.#inTurn(() => this.#releasing.finish(id));
  }

  #recoveryEvents() {
    return {
      recovered: (id: string, chunks: number, bytes: number) => this.#host.recovered(id, chunks, bytes),
      problem: (problem: Trouble, id: string) => this.#host.problem(problem, id),
      takenUp: (id: string) => this.#inTurn(() => this.#releasing.finish(id)),
      found: (id: string) => void this.#files?.found(id),
      hasSource: (id: string) => this.#files?.given.has(id) ?? false,
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
      stuck: (id: string, problem: Trouble) => {
        if (this.#files && isOfSource(problem.code)) return void this.#files.sourceLost(id, problem);
        this.#inventory.mark(id, { stuck: true, problem });
        this.#host.problem(problem, id);
      },
      trouble: (id: string, problem: Trouble | null) => {
        const before = this.#inventory.get(id)?.problem;
        this.#inventory.mark(id, problem ? { problem } : { problem: undefined, stuck: false });
        if (problem && before?.code !== problem.code) this.#host.problem(problem, id || undefined);
      },
      standing: () => this.#host.standing(),
      refile: (id: string, seals: readonly Seal[]) => this.#refile(id, seals),
      whileEnded: (id: string, work: () => Promise<void>) => this.#whileEnded(id, work),
    };
  }
}
