/**
 * What is left to send of one recording, and what to do next about it: decisions only, no I/O, time is a parameter.
 *
 * A parcel is a sealed chunk on this device. Its stages:
 *
 *     todo → granted → putting → in_bucket → acking → acked
 *       ↑________|________|__________|__________|
 *
 * Whatever fails goes back to the stage whose repetition is harmless; nothing ever leaves before it was released.
 */

import { backoffMs } from './backoff';
import { isOfATwin, isRefusedForGood } from './consequences';
import type { Steps } from './consignment';
import type { AckAnswer, GrantAnswer, Put, PutOutcome, RecordingStatus } from './control-plane';
import type { Trouble } from './failure';
import type { End, Seal } from './journal';
import { type Parcel, Parcels, type Stage } from './parcels';
import { inRanges, type Ranges } from './ranges';
import { waitsForRoom } from './room';
import type { ChunkState } from './types';

/** Grants asked ahead of the PUTs: enough to never wait for one, few enough that none expires unused. */
export const GRANTS_AHEAD = 32;

/** Entries in one call; the control plane's `limits.max_batch` unless it says less. */
const MAX_BATCH = 1_000;

/** Stages in which a failure makes a parcel wait for its next turn. */
const WAITING: readonly Stage[] = ['todo', 'granted', 'in_bucket'];

export class Shipment {
  readonly id: string;
  end: End | null = null;
  completed = false;
  /** Set while the control plane refuses the recording for good; cleared by `unstick`. */
  stuck: Trouble | null = null;
  started = false;
  /** A twin of this profile goes on with it: what it consists of, and its completion, are that one's. */
  contested = false;
  readonly #parcels = new Parcels();
  readonly #busy = { start: false, grant: false, ack: false, complete: false, refile: false };
  readonly #random: () => number;
  readonly #report: (seq: number, state: ChunkState) => void;
  #received: Ranges = [];
  #maxBatch = MAX_BATCH;

  /** `report` hears each change of a chunk's state that a person may see. */
  constructor(id: string, report: (seq: number, state: ChunkState) => void, random: () => number = Math.random) {
    this.id = id;
    this.#report = report;
    this.#random = random;
  }

  /** Takes in a sealed chunk on this device; repeated calls change nothing. */
  add(seal: Seal): void {
    this.#parcels.add(seal);
  }

  parcel(seq: number): Parcel | undefined {
    return this.#parcels.get(seq);
  }

  /** The numbers of all sealed chunks on this device. */
  held(): Iterable<number> {
    return this.#parcels.seqs();
  }

  get heldCount(): number {
    return this.#parcels.size;
  }

  /** True when there is nothing left to do or to wait for. */
  get finished(): boolean {
    return (this.completed || this.contested) && this.#parcels.size === 0;
  }

  /** Which of these may be deleted: those held with an equal digest. Everything else in a release is not ours. */
  releasable(chunks: readonly (readonly [number, string])[]): Seal[] {
    return chunks.flatMap(([seq, sha256]) => this.#parcels.withDigest(seq, sha256)?.seal ?? []);
  }

  /** The chunk's file is gone: it was released and deleted. */
  drop(seq: number): void {
    this.#parcels.drop(seq);
  }

  /**
   * What can be asked of the control plane now; marks it as begun. Without `roomOpen` there is no room (in the quota, or
   * among the live grants): nothing that would need some is asked for.
   */
  next(now: number, controlOpen: boolean, roomOpen = true): Steps {
    const steps: Steps = { start: false, grant: [], acks: [], complete: null, refile: [] };
    if (this.stuck || !controlOpen) return steps;
    if (!this.started) {
      steps.start = !this.#busy.start;
      this.#busy.start ||= steps.start;
      return steps;
    }
    if (!this.#busy.grant) steps.grant = this.#takeGrants(now, roomOpen);
    if (!this.#busy.ack) steps.acks = this.#takeAcks(now);
    steps.refile = this.#takeRefiled();
    if (!this.#busy.complete && this.#isReadyToComplete()) {
      this.#busy.complete = true;
      steps.complete = this.end;
    }
    return steps;
  }

  /** Epoch ms of the next moment after `now` at which `next` could answer more by itself; Infinity when only events help. */
  wakeAt(now: number): number {
    return Math.min(...WAITING.map((stage) => this.#parcels.nextTurn(stage, now)));
  }

  /** The next chunk to PUT, marked as begun; with `urgent` only one that the bucket lost. Null when there is none. */
  takePut(now: number, urgent: boolean): Parcel | null {
    if (this.stuck) return null;
    for (const parcel of this.#parcels.ready('granted', now, Number.POSITIVE_INFINITY)) {
      if (urgent && !parcel.urgent) return null;
      if (parcel.grantEndsAt > now) {
        this.#parcels.move(parcel, 'putting');
        this.#report(parcel.seal.seq, parcel.urgent ? 'resending' : 'uploading');
        return parcel;
      }
      this.#parcels.move(parcel, 'todo');
    }
    return null;
  }

  /** What the control plane said it has is asked in full (it answers without granting), the rest a little ahead. */
  #takeGrants(now: number, roomOpen: boolean): Seal[] {
    const ahead = GRANTS_AHEAD - this.#parcels.count('granted');
    const seals: Seal[] = [];
    let fresh = 0;
    for (const parcel of this.#parcels.ready('todo', now, Number.POSITIVE_INFINITY)) {
      if (seals.length >= this.#maxBatch) break;
      const known = inRanges(this.#received, parcel.seal.seq);
      if (!known && (fresh >= ahead || !(roomOpen || parcel.reserved))) continue;
      if (!known) fresh += 1;
      seals.push(parcel.seal);
    }
    this.#busy.grant = seals.length > 0;
    return seals;
  }

  #takeAcks(now: number): { seq: number; etag?: string }[] {
    const acks: { seq: number; etag?: string }[] = [];
    for (const parcel of this.#parcels.ready('in_bucket', now, this.#maxBatch)) {
      this.#parcels.move(parcel, 'acking');
      acks.push(parcel.etag === undefined ? { seq: parcel.seal.seq } : { seq: parcel.seal.seq, etag: parcel.etag });
    }
    this.#busy.ack = acks.length > 0;
    return acks;
  }

  /** All at once, when the recording has ended and everything else of it is acked: then no more of them come. */
  #takeRefiled(): Seal[] {
    const refused = this.#parcels.in('refused');
    const ofATwin = refused.filter(({ refusal }) => refusal !== null && isOfATwin(refusal));
    const settled = this.#parcels.count('acked') + ofATwin.length === this.#parcels.size;
    if (this.end === null || this.#busy.refile || ofATwin.length === 0 || !settled) return [];
    this.#busy.refile = true;
    return ofATwin.map(({ seal }) => seal).sort((a, b) => a.seq - b.seq);
  }

  /** These chunks are kept under another recording now. */
  onRefiled(seals: readonly Seal[]): void {
    this.#busy.refile = false;
    this.contested = true;
    for (const { seq } of seals) this.drop(seq);
  }

  #isReadyToComplete(): boolean {
    return (
      this.end !== null && !this.completed && !this.contested && this.#parcels.count('acked') === this.#parcels.size
    );
  }

  /** The control plane knows the recording: what it has need not be sent. */
  onStarted(status: RecordingStatus): void {
    this.#busy.start = false;
    this.started = true;
    this.#received = status.received;
    this.#maxBatch = Math.min(MAX_BATCH, status.limits?.max_batch ?? MAX_BATCH);
  }

  onStartFailed(): void {
    this.#busy.start = false;
  }

  /**
   * Takes the grants in. `grantEndsAt` turns the server's expiry into this device's clock.
   * Answers the problems of refused chunks, but for want of room: that is of the owner, and the chunk just waits.
   */
  onGrants(now: number, answers: readonly GrantAnswer[], grantEndsAt: (expiresAt: string) => number): Trouble[] {
    this.#busy.grant = false;
    const problems: Trouble[] = [];
    for (const answer of answers) {
      const parcel = this.#parcels.get(answer.seq);
      if (parcel?.stage !== 'todo') continue;
      if (answer.state === 'granted' && answer.put) {
        parcel.put = answer.put;
        parcel.reserved = true;
        parcel.grantEndsAt = answer.expires_at ? grantEndsAt(answer.expires_at) : Number.POSITIVE_INFINITY;
        this.#parcels.move(parcel, 'granted');
      } else if (answer.state === 'refused') {
        const problem = this.#onRefused(now, parcel, answer.problem);
        if (problem) problems.push(problem);
      } else {
        this.#settle(parcel, answer.state === 'confirmed');
      }
    }
    return problems;
  }

  onGrantsFailed(): void {
    this.#busy.grant = false;
  }

  #onRefused(now: number, parcel: Parcel, problem: Trouble | undefined): Trouble | null {
    if (waitsForRoom(problem?.code)) {
      parcel.reserved = false;
      return null;
    }
    const said = problem ?? { code: 'refused', detail: `Chunk ${parcel.seal.seq} was refused without a reason.` };
    if (isRefusedForGood(said.code)) {
      parcel.refusal = said.code;
      this.#parcels.move(parcel, 'refused');
    } else this.#back(now, parcel, 'todo');
    return said;
  }

  onPut(now: number, seq: number, outcome: PutOutcome): void {
    const parcel = this.#parcels.get(seq);
    if (parcel?.stage !== 'putting') return;
    switch (outcome.kind) {
      case 'stored':
      case 'exists':
        parcel.etag = outcome.kind === 'stored' ? outcome.etag : undefined;
        parcel.put = null;
        this.#parcels.move(parcel, 'in_bucket');
        this.#report(seq, 'in_bucket');
        return;
      case 'raced':
        this.#back(now, parcel, 'granted');
        return;
      case 'busy':
        parcel.attempts += 1;
        this.#parcels.move(parcel, 'granted');
        break;
      case 'unknown':
        // A bucket that answers an expired grant without CORS headers looks just like this: so ask for a new one.
        parcel.attempts += 1;
        this.#parcels.move(parcel, 'todo');
        break;
      case 'refused':
        // The first time at once: most often the grant was simply too old.
        if (parcel.attempts === 0) {
          parcel.attempts = 1;
          this.#parcels.move(parcel, 'todo');
        } else this.#back(now, parcel, 'todo');
        break;
      case 'rejected':
        this.#back(now, parcel, 'todo');
        break;
    }
    this.#report(seq, parcel.urgent ? 'resending' : 'on_disk');
  }

  /** The file could not be read: it is held no more, or not what it was. */
  onUnreadable(seq: number): void {
    const parcel = this.#parcels.get(seq);
    if (!parcel) return;
    this.#parcels.move(parcel, 'refused');
    this.#report(seq, 'on_disk');
  }

  /** Takes verdicts in; what got none is asked again. Answers the problems of refused acks that a person should know about. */
  onAcks(now: number, answers: readonly AckAnswer[]): Trouble[] {
    this.#busy.ack = false;
    const problems: Trouble[] = [];
    for (const answer of answers) {
      const parcel = this.#parcels.get(answer.seq);
      if (parcel?.stage !== 'acking') continue;
      if (answer.verdict === 'match') this.#settle(parcel, answer.state === 'confirmed');
      else if (answer.verdict === 'unreachable') this.#back(now, parcel, 'in_bucket');
      else {
        if (answer.verdict === null && answer.problem && answer.problem.code !== 'chunk_not_granted')
          problems.push(answer.problem);
        this.#back(now, parcel, 'todo');
        this.#report(answer.seq, parcel.urgent ? 'resending' : 'on_disk');
      }
    }
    this.#parcels.moveAll('acking', 'in_bucket');
    return problems;
  }

  onAcksFailed(): void {
    this.#busy.ack = false;
    this.#parcels.moveAll('acking', 'in_bucket');
  }

  onCompleted(): void {
    this.#busy.complete = false;
    this.completed = true;
  }

  onCompleteFailed(): void {
    this.#busy.complete = false;
  }

  /** The control plane has other chunks than thought: what it lacks and is held here is sent again. */
  onStatus(status: RecordingStatus): void {
    this.#received = status.received;
    for (const parcel of this.#parcels.in('acked')) {
      if (inRanges(status.received, parcel.seal.seq)) continue;
      this.#parcels.move(parcel, 'todo');
      this.#report(parcel.seal.seq, 'on_disk');
    }
  }

  /** The control plane forgot the recording: start again, send again what is here. */
  restart(): void {
    this.started = false;
    this.completed = false;
    this.#received = [];
    for (const parcel of this.#parcels.all()) {
      if (parcel.stage === 'putting' || parcel.stage === 'acking' || parcel.stage === 'refused') continue;
      if (parcel.stage !== 'todo') this.#report(parcel.seal.seq, 'on_disk');
      this.#parcels.move(parcel, 'todo');
    }
  }

  /**
   * Serves a ticket. `gone`: the chunk with that digest is not here. `served`: it will be sent with the ticket's own
   * grant. `under_way`: it is on its way already.
   */
  onTicket(seq: number, sha256: string, put: Put, grantEndsAt: number): 'gone' | 'served' | 'under_way' {
    const parcel = this.#parcels.withDigest(seq, sha256);
    if (!parcel) return 'gone';
    if (parcel.stage !== 'acked' && parcel.stage !== 'todo' && parcel.stage !== 'refused') return 'under_way';
    parcel.urgent = true;
    parcel.put = put;
    parcel.grantEndsAt = grantEndsAt;
    parcel.notBefore = 0;
    this.#parcels.move(parcel, 'granted');
    this.#report(seq, 'resending');
    return 'served';
  }

  /** How many PUTs of it are under way. */
  get underWay(): number {
    return this.#parcels.count('putting');
  }

  /** A chunk of it waits to be sent, or is on its way to the bucket. */
  get hasToSend(): boolean {
    return this.#parcels.count('todo') + this.#parcels.count('granted') + this.underWay > 0;
  }

  /** Something here is still to be granted. */
  get waitsForGrant(): boolean {
    return this.#parcels.count('todo') > 0;
  }

  /** What the quota has no room for as yet: neither in the bucket nor with room set aside. */
  get waitingForRoom(): Seal[] {
    return this.#parcels
      .in('todo')
      .flatMap(({ seal, reserved }) => (reserved || inRanges(this.#received, seal.seq) ? [] : seal));
  }

  /** Tries again what was refused, and now: a person asked for it. */
  unstick(): void {
    this.stuck = null;
    this.#busy.refile = false;
    for (const parcel of this.#parcels.all()) parcel.notBefore = 0;
    this.#parcels.moveAll('refused', 'todo');
  }

  get hasRefused(): boolean {
    return this.#parcels.count('refused') > 0;
  }

  #settle(parcel: Parcel, confirmed: boolean): void {
    parcel.urgent = false;
    parcel.attempts = 0;
    parcel.notBefore = 0;
    this.#parcels.move(parcel, 'acked');
    this.#report(parcel.seal.seq, confirmed ? 'confirmed' : 'acked');
  }

  #back(now: number, parcel: Parcel, stage: Stage): void {
    parcel.attempts += 1;
    parcel.notBefore = now + backoffMs(parcel.attempts, this.#random);
    this.#parcels.move(parcel, stage);
  }
}
