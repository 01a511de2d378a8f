/**
 * Sends what the spool holds: runs the steps that the shipments decide on, a few PUTs at once, and tells each shipment
 * what came of it. It never gives up; what differs is only how long it waits.
 */
import { Gate } from './backoff';
import { consequenceOf, isOfTheWhole } from './consequences';
import {
  CallFailed,
  type ControlPlane,
  type Put,
  type PutOutcome,
  type RecordingStatus,
  type Ticket,
} from './control-plane';
import { asProblem, problemOf, SafereelError } from './errors';
import type { End, RecordingFacts, Seal } from './journal';
import { Room } from './room';
import { type Parcel, Shipment } from './shipment';
import { fitTitle } from './title';
import type { ChunkState, ConnectionState, OverQuota, Problem } from './types';
import { UploadRate } from './upload-rate';

/** A grant that ends within this time is not tried: the request has to arrive before its end. */
const GRANT_MARGIN_MS = 5_000;

/** After this many refusals of its body a chunk is read back and compared: a damaged file must not loop for ever. */
const REJECTIONS_BEFORE_CHECK = 3;

/** One PUT that fails is the network; this many in a row, while the control plane answers, is something to look into. */
const PUT_FAILURES_BEFORE_WORD = 3;

/** What the uploader needs of the spool. */
export interface ChunkSource {
  chunkFile(id: string, seal: Seal): Promise<Blob>;
  isIntact(id: string, seal: Seal): Promise<boolean>;
}

/** Whom the uploader tells. None of these may throw. */
export interface UploaderEvents {
  chunk(id: string, seq: number, state: ChunkState): void;
  acked(id: string): void;
  completed(id: string): void;
  deleted(id: string): void;
  /** What the control plane has, asked after a start. */
  status(id: string, status: RecordingStatus): void;
  limits(id: string, maxChunkBytes: number): void;
  interval(heartbeatMs: number): void;
  stuck(id: string, problem: Problem): void;
  /** Not final: the recording goes on being tried; null when it is over. */
  trouble(id: string, problem: Problem | null): void;
  standing(): void;
  /** The quota holds chunks back (again, with newer figures), or null: no longer. */
  overQuota(quota: OverQuota | null): void;
  /** Runs `work` while nobody can resume the recording; answers false without running it when somebody writes it. */
  whileEnded(id: string, work: () => Promise<void>): Promise<boolean>;
}

type Call = 'start' | 'grant' | 'put' | 'ack' | 'complete';

/** A shipment and what its calls came to. */
interface Consignment {
  shipment: Shipment;
  facts: RecordingFacts;
  /** The control plane may know it from before: ask first. */
  leftover: boolean;
  gate: Gate;
  /** The call whose trouble is shown: it is over when that call succeeds. */
  troubled: Call | null;
}

export class Uploader {
  readonly #plane: ControlPlane;
  readonly #source: ChunkSource;
  readonly #events: UploaderEvents;
  readonly #parallelPuts: number;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #signal: AbortSignal;
  readonly #shipments = new Map<string, Consignment>();
  readonly #control: Gate;
  readonly #bucket: Gate;
  readonly #room: Room;
  readonly #rate = new UploadRate();
  #puts = 0;
  #putFailures = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #serverAheadMs: number | null = null;

  /** Runs until `signal` aborts. `now` is in epoch ms. */
  constructor(
    plane: ControlPlane,
    source: ChunkSource,
    events: UploaderEvents,
    options: { parallelPuts: number; signal: AbortSignal; now?: () => number; random?: () => number },
  ) {
    this.#plane = plane;
    this.#source = source;
    this.#events = events;
    this.#parallelPuts = options.parallelPuts;
    this.#signal = options.signal;
    this.#now = options.now ?? Date.now;
    this.#random = options.random ?? Math.random;
    this.#control = new Gate(this.#random);
    this.#bucket = new Gate(this.#random);
    this.#room = new Room(this.#random, () => events.overQuota(this.overQuota));
    this.#signal.addEventListener('abort', () => clearTimeout(this.#timer));
  }

  /** Takes a recording on. `leftover`: the control plane may know it already, so it is asked first. */
  open(facts: RecordingFacts, leftover: boolean): Shipment {
    const known = this.#shipments.get(facts.id);
    if (known) return known.shipment;
    const report = (seq: number, state: ChunkState) => this.#events.chunk(facts.id, seq, state);
    const shipment = new Shipment(facts.id, report, this.#random);
    this.#shipments.set(facts.id, { shipment, facts, leftover, gate: new Gate(this.#random), troubled: null });
    this.pump();
    return shipment;
  }

  shipment(id: string): Shipment | undefined {
    return this.#shipments.get(id)?.shipment;
  }

  shipments(): Shipment[] {
    return [...this.#shipments.values()].map(({ shipment }) => shipment);
  }

  add(id: string, seal: Seal): void {
    this.#shipments.get(id)?.shipment.add(seal);
    this.pump();
  }

  end(id: string, end: End): void {
    const shipment = this.shipment(id);
    if (shipment) shipment.end = end;
    this.pump();
  }

  close(id: string): void {
    this.#shipments.delete(id);
    this.#checkRoom();
  }

  /** What the quota holds back at present; null when nothing. */
  get overQuota(): OverQuota | null {
    const { figures } = this.#room;
    if (figures === null) return null;
    const waiting = this.shipments().flatMap((shipment) => shipment.waitingForRoom);
    return {
      ...figures,
      waitingChunks: waiting.length,
      waitingBytes: waiting.reduce((sum, { size }) => sum + size, 0),
    };
  }

  /** Something was deleted: there may be room again. */
  roomFreed(): void {
    this.#room.askNow(this.#now());
    this.pump();
  }

  get uploadingNow(): number {
    return this.#puts;
  }

  /** Bytes a second over the last seconds, or null when nothing was sent in them. */
  get rate(): number | null {
    return this.#rate.perSecond(this.#now());
  }

  /** `retryAt` in epoch ms while something waits for its next try. */
  connection(online: boolean): { connection: ConnectionState; retryAt: number | null } {
    const failing = [this.#control, this.#bucket, ...[...this.#shipments.values()].map(({ gate }) => gate)].filter(
      (gate) => gate.failing,
    );
    if (failing.length === 0) return { connection: online ? 'online' : 'offline', retryAt: null };
    const retryAt = Math.max(this.#now(), Math.min(...failing.map((gate) => gate.opensAt)));
    return { connection: online ? 'retrying' : 'offline', retryAt };
  }

  /** Forgets all waits. `refused` too: a person asked for it. */
  wake(refused: boolean): void {
    const now = this.#now();
    for (const gate of [this.#control, this.#bucket]) gate.reset(now);
    this.#room.askNow(now);
    for (const { shipment, gate } of this.#shipments.values()) {
      gate.reset(now);
      if (refused && (shipment.stuck || shipment.hasRefused)) {
        shipment.unstick();
        this.#events.trouble(shipment.id, null);
      }
    }
    this.#events.standing();
    this.pump();
  }

  /** The server's clock as of now, from a heartbeat: grants end by it. */
  setServerTime(serverTime: string): void {
    const ahead = Date.parse(serverTime) - this.#now();
    if (Number.isFinite(ahead)) this.#serverAheadMs = ahead;
  }

  /** Serves a ticket before everything else. Answers false when the chunk is not held here. */
  serve(ticket: Ticket): boolean {
    const shipment = this.shipment(ticket.recording_id);
    const grantEndsAt = this.#grantEndsAt(ticket.expires_at);
    const answer = shipment?.onTicket(ticket.seq, ticket.sha256, ticket.put, grantEndsAt) ?? 'gone';
    this.pump();
    return answer !== 'gone';
  }

  /** The control plane does not know this recording: it is started again, and what is here is sent again. */
  restart(id: string): void {
    this.shipment(id)?.restart();
    this.pump();
  }

  /** Begins everything that can begin now. */
  pump(): void {
    if (this.#signal.aborted) return;
    clearTimeout(this.#timer);
    const now = this.#now();
    for (const entry of this.#byUrgency()) {
      const { shipment, gate } = entry;
      const free = this.#parallelPuts - this.#puts;
      const open = this.#control.isOpen(now) && gate.isOpen(now);
      const steps = shipment.next(now, free, open, this.#bucket.isOpen(now), this.#room.isOpen(now));
      if (steps.start) this.#run(this.#start(shipment, entry.facts, entry.leftover));
      if (steps.grant.length > 0) this.#run(this.#grant(shipment, steps.grant));
      for (const parcel of steps.puts) this.#run(this.#put(shipment, parcel));
      if (steps.acks.length > 0) this.#run(this.#ack(shipment, steps.acks));
      if (steps.complete) this.#run(this.#complete(shipment, steps.complete));
    }
    this.#scheduleWake(now);
  }

  /** Recordings with tickets first: what the bucket lost goes before what is only new. */
  #byUrgency() {
    return [...this.#shipments.values()].sort((a, b) => Number(b.shipment.isUrgent) - Number(a.shipment.isUrgent));
  }

  #scheduleWake(now: number): void {
    let at = Number.POSITIVE_INFINITY;
    for (const { shipment, gate } of this.#shipments.values()) {
      at = Math.min(at, shipment.wakeAt(now), gate.opensAt > now ? gate.opensAt : at);
    }
    for (const gate of [this.#control, this.#bucket, this.#room])
      if (gate.opensAt > now) at = Math.min(at, gate.opensAt);
    if (at < Number.POSITIVE_INFINITY) this.#timer = setTimeout(() => this.pump(), Math.max(1, at - now));
  }

  /** Every step handles its own failures; what comes here is a mistake of ours and is said aloud. */
  #run(step: Promise<void>): void {
    step
      .catch((error: unknown) => {
        if (!this.#signal.aborted) this.#events.trouble('', asProblem(error, 'unexpected'));
      })
      .finally(() => this.pump());
  }

  async #start(shipment: Shipment, facts: RecordingFacts, leftover: boolean): Promise<void> {
    try {
      const status = leftover ? await this.#statusOrStart(facts) : await this.#begin(facts);
      this.#answered(shipment, 'start');
      if (status.state === 'deleting' || status.state === 'deleted') return this.#onDeleted(shipment);
      shipment.onStarted(status);
      this.#events.status(shipment.id, status);
      this.#events.limits(shipment.id, status.limits.max_chunk_bytes);
      this.#events.interval(status.heartbeat_interval_ms);
      if (status.complete) this.#onCompleted(shipment);
    } catch (error) {
      shipment.onStartFailed();
      this.#onCallFailed(shipment, 'start', error);
    }
  }

  #begin(facts: RecordingFacts) {
    const request = {
      recorder_id: facts.recorderId,
      source: 'recorder' as const,
      mime_type: facts.mimeType,
      title: fitTitle(facts.title),
    };
    return this.#plane.start(facts.id, request, this.#signal);
  }

  /** After a crash: what does the control plane have? A recording it knows as expired is started again. */
  async #statusOrStart(facts: RecordingFacts) {
    try {
      const status = await this.#plane.status(facts.id, this.#signal);
      return status.state === 'expired' ? await this.#begin(facts) : status;
    } catch (error) {
      if (error instanceof CallFailed && error.status === 404) return this.#begin(facts);
      throw error;
    }
  }

  async #grant(shipment: Shipment, seals: Seal[]): Promise<void> {
    try {
      const chunks = seals.map(({ seq, segment, size, sha256 }) => ({ seq, segment, size, sha256 }));
      const answers = await this.#plane.grants(shipment.id, chunks, this.#signal);
      const problems = shipment.onGrants(this.#now(), answers, (at) => this.#grantEndsAt(at));
      this.#answered(shipment, 'grant', problems);
      this.#room.weigh(this.#now(), answers);
      if (answers.some(({ state }) => state === 'acked')) this.#events.acked(shipment.id);
    } catch (error) {
      shipment.onGrantsFailed();
      this.#onCallFailed(shipment, 'grant', error);
    }
  }

  /** Nothing waits for room any more: then it is not known to be used up. */
  #checkRoom(): void {
    if (!this.shipments().some((shipment) => shipment.waitsForGrant)) this.#room.over(this.#now());
  }

  #grantEndsAt(expiresAt: string): number {
    // Until a heartbeat told the server's clock, the bucket's 403 has to tell that a grant is over.
    if (this.#serverAheadMs === null) return Number.POSITIVE_INFINITY;
    const endsAt = Date.parse(expiresAt) - this.#serverAheadMs - GRANT_MARGIN_MS;
    return Number.isFinite(endsAt) ? endsAt : Number.POSITIVE_INFINITY;
  }

  async #put(shipment: Shipment, parcel: Parcel): Promise<void> {
    const { seal, put } = parcel;
    this.#puts += 1;
    this.#events.standing();
    try {
      if (put) await this.#putFile(shipment, parcel, put);
    } catch (error) {
      if (this.#signal.aborted || !this.#isOpen(shipment)) return;
      shipment.onUnreadable(seal.seq);
      this.#events.stuck(shipment.id, asProblem(error, 'chunk_vanished'));
    } finally {
      this.#puts -= 1;
      this.#events.standing();
    }
  }

  async #putFile(shipment: Shipment, parcel: Parcel, put: Put): Promise<void> {
    const { seal } = parcel;
    const file = await this.#source.chunkFile(shipment.id, seal);
    const outcome = await this.#plane.put(put, file, parcel.attempts, this.#signal);
    const now = this.#now();
    this.#weigh(shipment, outcome, now);
    if (outcome.kind === 'stored') this.#rate.sent(now, seal.size);
    const suspect = outcome.kind === 'rejected' && parcel.attempts >= REJECTIONS_BEFORE_CHECK;
    if (suspect && !(await this.#source.isIntact(shipment.id, seal))) throw new SafereelError('chunk_damaged');
    shipment.onPut(now, seal.seq, outcome);
  }

  /** Opens or closes the bucket's gate, and says aloud when the bucket keeps failing while the control plane answers. */
  #weigh(shipment: Shipment, outcome: PutOutcome, now: number): void {
    const failed = outcome.kind === 'busy' || outcome.kind === 'unknown' || outcome.kind === 'refused';
    if (!failed) {
      this.#putFailures = 0;
      this.#bucket.succeed(now);
      this.#over(shipment, 'put');
      return;
    }
    this.#putFailures += 1;
    if (outcome.kind !== 'refused') this.#bucket.fail(now, outcome.kind === 'busy' ? outcome.retryAfterMs : 0);
    if (this.#putFailures < PUT_FAILURES_BEFORE_WORD || this.#control.failing) return;
    this.#trouble(
      shipment,
      'put',
      problemOf('bucket_unreachable', outcome.kind === 'unknown' ? outcome.reason : outcome.kind),
    );
  }

  async #ack(shipment: Shipment, acks: { seq: number; etag?: string }[]): Promise<void> {
    try {
      const answers = await this.#plane.acks(shipment.id, acks, this.#signal);
      const problems = shipment.onAcks(this.#now(), answers);
      this.#answered(shipment, 'ack', problems);
      if (!answers.some(({ verdict }) => verdict === 'match')) return;
      this.#room.grantsUsed(this.#now());
      this.#events.acked(shipment.id);
    } catch (error) {
      shipment.onAcksFailed();
      this.#onCallFailed(shipment, 'ack', error);
    }
  }

  async #complete(shipment: Shipment, end: End): Promise<void> {
    try {
      const ran = await this.#events.whileEnded(shipment.id, async () => {
        const totals = { chunk_count: end.chunkCount, total_bytes: end.totalBytes };
        await this.#plane.complete(shipment.id, totals, this.#signal);
      });
      shipment.onCompleteFailed();
      // Somebody holds it for a moment, or resumed it; then its end was taken back and nothing is due.
      if (!ran) this.#shipments.get(shipment.id)?.gate.fail(this.#now());
      else {
        this.#answered(shipment, 'complete');
        this.#onCompleted(shipment);
      }
    } catch (error) {
      shipment.onCompleteFailed();
      this.#onCallFailed(shipment, 'complete', error);
    }
  }

  #onCompleted(shipment: Shipment): void {
    if (shipment.completed || !this.#isOpen(shipment)) return;
    shipment.onCompleted();
    this.#events.completed(shipment.id);
  }

  /** It was not deleted or finished since a call about it began. */
  #isOpen(shipment: Shipment): boolean {
    return this.shipment(shipment.id) === shipment;
  }

  #onDeleted(shipment: Shipment): void {
    this.close(shipment.id);
    this.#events.deleted(shipment.id);
  }

  /** The control plane answered: its gates open, and the trouble that this very call had before is over. */
  #answered(shipment: Shipment, call: Call, problems: Problem[] = []): void {
    const entry = this.#shipments.get(shipment.id);
    const wasFailing = this.#control.failing || entry?.gate.failing;
    const now = this.#now();
    this.#control.succeed(now);
    entry?.gate.succeed(now);
    if (wasFailing) this.#events.standing();
    const [first] = problems;
    if (first && shipment.hasRefused) this.#events.stuck(shipment.id, first);
    else if (first) this.#trouble(shipment, call, first);
    else this.#over(shipment, call);
  }

  /** The call whose trouble was shown went well. */
  #over(shipment: Shipment, call: Call): void {
    const entry = this.#shipments.get(shipment.id);
    if (entry?.troubled !== call) return;
    entry.troubled = null;
    if (!shipment.hasRefused) this.#events.trouble(shipment.id, null);
  }

  #onCallFailed(shipment: Shipment, call: Call, error: unknown): void {
    if (this.#signal.aborted) return;
    if (!this.#isOpen(shipment) && !isOfTheWhole(error)) return; // Deleted meanwhile: no word about it.
    if (!(error instanceof CallFailed)) {
      this.#onTokenFailed(shipment, call, error);
      return;
    }
    switch (consequenceOf(error)) {
      case 'restart':
        this.#failRecording(shipment, error);
        this.#trouble(shipment, 'start', error.problem);
        shipment.restart();
        return;
      case 'deleted':
        this.#onDeleted(shipment);
        return;
      case 'refresh':
        this.#failRecording(shipment, error);
        this.#trouble(shipment, call, error.problem);
        this.#run(this.#refresh(shipment));
        return;
      case 'stuck':
        shipment.stuck = error.problem;
        this.#events.stuck(shipment.id, error.problem);
        return;
      case 'retry':
        this.#onPassingFailure(shipment, call, error);
    }
  }

  #onPassingFailure(shipment: Shipment, call: Call, error: CallFailed): void {
    if (isOfTheWhole(error)) this.#control.fail(this.#now(), error.retryAfterMs);
    else {
      this.#failRecording(shipment, error);
      this.#trouble(shipment, call, error.problem);
    }
    this.#events.standing();
  }

  #onTokenFailed(shipment: Shipment, call: Call, error: unknown): void {
    this.#control.fail(this.#now());
    this.#trouble(shipment, call, asProblem(error, 'unexpected'));
    this.#events.standing();
  }

  #trouble(shipment: Shipment, call: Call, problem: Problem): void {
    const entry = this.#shipments.get(shipment.id);
    if (entry) entry.troubled = call;
    this.#events.trouble(shipment.id, problem);
  }

  #failRecording(shipment: Shipment, error: CallFailed): void {
    this.#shipments.get(shipment.id)?.gate.fail(this.#now(), error.retryAfterMs);
  }

  /** The control plane misses chunks: what it lacks and is here goes again. */
  async #refresh(shipment: Shipment): Promise<void> {
    try {
      shipment.onStatus(await this.#plane.status(shipment.id, this.#signal));
    } catch (error) {
      this.#onCallFailed(shipment, 'complete', error);
    }
  }
}
