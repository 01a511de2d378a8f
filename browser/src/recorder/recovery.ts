/** What earlier visits left: found, sealed, ended and handed to the uploader, without anybody doing anything. */
import { asTrouble, Failure, type Trouble, troubleOf } from './failure';
import { type Inventory, isSafe, viewOf } from './inventory';
import { type End, type RecordingFacts, type Seal, sealedMs } from './journal';
import { holdLock, lockNames } from './locks';
import type { Spool, SpooledRecording } from './spool';
import type { Uploader } from './uploader';

/** A disk that was full, or a handle still held, when a leftover was opened: looked at again after this time. */
const LOOK_AGAIN_MS = 30_000;

export interface RecoveryEvents {
  recovered(id: string, chunks: number, bytes: number): void;
  problem(problem: Trouble, id: string): void;
  /** Everything of this recording was taken up: it may be complete and wholly released already. */
  takenUp(id: string): Promise<void>;
  /** It was looked at, and nobody holds its lock any more: an upload of a file may go on. */
  found(id: string): void;
  /** The file of an upload is at hand: its chunks that are not in OPFS are read from it. */
  hasSource(id: string): boolean;
}

export class Recovery {
  readonly #spool: Spool;
  readonly #inventory: Inventory;
  readonly #uploader: Uploader;
  readonly #events: RecoveryEvents;
  readonly #resumeWindowMs: number;
  readonly #signal: AbortSignal;
  readonly #awaited = new Set<string>();

  constructor(
    spool: Spool,
    inventory: Inventory,
    uploader: Uploader,
    events: RecoveryEvents,
    options: { resumeWindowMs: number; signal: AbortSignal },
  ) {
    this.#spool = spool;
    this.#inventory = inventory;
    this.#uploader = uploader;
    this.#events = events;
    this.#resumeWindowMs = options.resumeWindowMs;
    this.#signal = options.signal;
  }

  /** Takes up a recording found on disk; one that a living tab writes is waited for. */
  async takeUp(id: string): Promise<void> {
    const lock = await holdLock(this.#lockName(id), { ifAvailable: true });
    if (!lock) {
      void this.takeUpWhenFree(id);
      return;
    }
    await this.#tryRecover(id, false);
    lock.release();
    this.#events.found(id);
  }

  /** The lock of a recording comes free when its writer ended it or died: the disk tells which. */
  async takeUpWhenFree(id: string): Promise<void> {
    if (this.#awaited.has(id)) return;
    this.#awaited.add(id);
    try {
      const lock = await holdLock(this.#lockName(id), { signal: this.#signal });
      this.#awaited.delete(id);
      await this.#tryRecover(id, true);
      lock?.release();
      this.#events.found(id);
    } catch (error) {
      if (!this.#signal.aborted) this.#events.problem(asTrouble(error, 'recovery_failed'), id);
    }
  }

  #lockName(id: string): string {
    return lockNames.recording(this.#spool.owner, id);
  }

  async #tryRecover(id: string, wasLive: boolean): Promise<void> {
    try {
      await this.#recover(id, wasLive);
    } catch (error) {
      const problem = asTrouble(error, 'recovery_failed');
      this.#events.problem(problem, id);
      if (problem.code === 'journal_damaged') await this.#showDamaged(id, problem);
      else this.#later(LOOK_AGAIN_MS, () => this.takeUp(id));
    }
  }

  /** The caller holds the recording's lock. `wasLive`: a tab of this visit wrote it. */
  async #recover(id: string, wasLive: boolean): Promise<void> {
    if (await this.#spool.isDiscarded(id)) return this.#spool.discard(id);
    const found = await this.#spool.load(id);
    if (!found) {
      if (!wasLive) await this.#spool.remove(id); // A start that a crash cut off before anything was recorded.
      return;
    }
    await this.#spool.finishReleases(id, found);
    if (isOver(found) && !this.#inventory.get(id)) return; // Only copies are left: there is nothing to show or to send.
    const { journal } = found;
    if (found.facts.file) return this.#takeUpFile(found);
    const orphaned = journal.end === null;
    const known = !wasLive && this.#inventory.get(id) !== undefined;
    this.#hand(found, journal.seals, journal.end, !wasLive || orphaned);
    // What is sealed is on its way by now: on a full disk that is what makes room for sealing the rest.
    const settled = await this.#settle(found, orphaned);
    if ((!wasLive || orphaned) && !known) this.#announce(id);
    this.#countVanished(found, settled.seals);
    await this.#events.takenUp(id);
  }

  /** The upload of a file is not ended with what it has: what is not sealed yet is still in its file. */
  async #takeUpFile(found: SpooledRecording): Promise<void> {
    const { facts, journal, releases, files } = found;
    const isHere = ({ seq }: Seal) => files.has(seq) || releases.released.has(seq);
    // A copy that is gone is read again, as if it had never been made.
    const seals = journal.seals.map((seal) => (isHere(seal) ? seal : { ...seal, held: false as const }));
    this.#inventory.open(facts, { end: journal.end });
    const isWhole = seals.every(isHere) || this.#events.hasSource(facts.id);
    this.#hand(found, seals, isWhole ? journal.end : null, false);
    this.#inventory.mark(facts.id, { end: journal.end });
    await this.#events.takenUp(facts.id);
  }

  async #settle(found: SpooledRecording, orphaned: boolean): Promise<{ seals: Seal[]; end: End | null }> {
    const { journal, facts, files } = found;
    const strays = [...files.keys()].some((seq) => seq >= journal.nextSeq);
    if (!orphaned && !journal.open && !strays) return journal;
    const waits = orphaned && this.#resumeWindowMs > 0;
    const settled = await this.#spool.settle(facts.id, !waits);
    const fresh = settled.seals.slice(journal.seals.length);
    for (const seal of fresh) files.set(seal.seq, { name: '', size: seal.size });
    this.#hand(found, settled.seals, settled.end, true);
    if (waits) this.#later(this.#resumeWindowMs, () => this.#endNow(facts.id));
    return settled;
  }

  /** Shows what was found and hands it to the uploader. */
  #hand(found: SpooledRecording, seals: readonly Seal[], end: End | null, recovered: boolean): void {
    const { facts, releases, files } = found;
    const held = seals.some(({ seq }) => !releases.released.has(seq));
    const isRecovered = recovered && (held || !releases.complete);
    const entry = this.#inventory.open(facts, {
      live: false,
      end,
      complete: releases.complete,
      recovered: isRecovered,
    });
    for (const seal of seals) {
      const view = entry.chunks.get(seal.seq);
      const isReleased = releases.released.has(seal.seq);
      if (view && view.state !== 'writing' && !isReleased) continue;
      this.#inventory.put(facts.id, viewOf(seal, isReleased ? 'released' : 'on_disk', Date.now()));
    }
    this.#inventory.mark(facts.id, { durationMs: sealedMs(seals), paused: false, waiting: false });
    const shipment = this.#uploader.open(facts, true);
    shipment.completed ||= releases.complete;
    shipment.contested ||= releases.contested;
    const fromSource = (seal: Seal) => seal.held === false && this.#events.hasSource(facts.id);
    for (const seal of seals) {
      const isReleased = releases.released.has(seal.seq);
      if (files.has(seal.seq) || (fromSource(seal) && !isReleased)) this.#uploader.add(facts.id, seal);
    }
    if (end) this.#uploader.end(facts.id, end);
  }

  #announce(id: string): void {
    const entry = this.#inventory.get(id);
    const left = [...(entry?.chunks.values() ?? [])].filter(({ state }) => !isSafe(state));
    const bytes = left.reduce((sum, { size }) => sum + size, 0);
    // What the control plane has finalised is in the bucket: that it waits to be confirmed is nothing to tell anybody.
    if (!entry?.complete) this.#events.recovered(id, left.length, bytes);
  }

  #countVanished(found: SpooledRecording, seals: readonly Seal[]): void {
    const { facts, releases, files } = found;
    const vanished = seals.filter(({ seq }) => !files.has(seq) && !releases.released.has(seq)).length;
    if (vanished > 0) this.#events.problem(troubleOf('chunk_vanished', `${vanished} chunks`), facts.id);
    const beyond = [...files.keys()].filter((seq) => seq >= seals.length).length;
    if (beyond > 0) this.#events.problem(troubleOf('journal_damaged', `${beyond} chunks`), facts.id);
  }

  /** Nothing can be sent of it, but its chunks exist only here: they must be in the count. */
  async #showDamaged(id: string, problem: Trouble): Promise<void> {
    const facts: RecordingFacts = {
      id,
      owner: this.#spool.owner,
      recorderId: '',
      mimeType: '',
      title: '',
      startedAt: 0,
    };
    this.#inventory.open(facts, { recovered: true });
    for (const { seq, segment, size } of await this.#spool.looseChunks(id)) {
      const seal = { seq, segment, size, sha256: '', startMs: 0, durationMs: 0 };
      this.#inventory.put(id, viewOf(seal, 'on_disk', Date.now()));
    }
    this.#inventory.mark(id, { stuck: true, problem });
  }

  #later(ms: number, work: () => Promise<void>): void {
    const timer = setTimeout(() => void work(), ms);
    this.#signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  }

  /** The time in which a page could have resumed it is over. */
  async #endNow(id: string): Promise<void> {
    const lock = await holdLock(this.#lockName(id), { ifAvailable: true });
    if (!lock) return; // Resumed: its own writer ends it.
    try {
      const found = await this.#spool.load(id);
      if (!found) throw new Failure('recovery_failed');
      const settled = await this.#spool.settle(id, true);
      for (const { seq, size } of settled.seals)
        if (!found.releases.released.has(seq)) found.files.set(seq, { name: '', size });
      this.#hand(found, settled.seals, settled.end, true);
      await this.#events.takenUp(id);
    } catch (error) {
      this.#events.problem(asTrouble(error, 'recovery_failed'), id);
      this.#later(LOOK_AGAIN_MS, () => this.#endNow(id));
    } finally {
      lock.release();
    }
  }
}

/** It is complete and released, and what is left here of it are kept copies. */
function isOver({ journal, releases, files, kept }: SpooledRecording): boolean {
  if (!releases.complete || !journal.end || files.size > 0 || kept.length === 0) return false;
  return journal.seals.every(({ seq }) => releases.released.has(seq));
}
