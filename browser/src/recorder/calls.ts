/** The control plane's side of the uploader: one method per step of a recording, and what follows when it fails. */
import type { Gate } from './backoff';
import { consequenceOf, isOfTheWhole } from './consequences';
import { type Call, type Consignment, overcome, trouble, type UploaderEvents } from './consignment';
import { CallFailed, type ControlPlane } from './control-plane';
import { asTrouble, type Trouble } from './failure';
import type { End, RecordingFacts, Seal } from './journal';
import type { Room } from './room';
import { fitTitle } from './title';

/** A grant that ends within this time is not tried: the request has to arrive before its end. */
const GRANT_MARGIN_MS = 5_000;

/** The uploader around it. */
export interface CallsHost {
  /** The recording was deleted: it is sent no more. */
  close(entry: Consignment): void;
  /** Sees a further step through, and begins what can begin after it. */
  run(step: Promise<void>): void;
}

export class Calls {
  readonly #plane: ControlPlane;
  readonly #events: UploaderEvents;
  readonly #control: Gate;
  readonly #room: Room;
  readonly #signal: AbortSignal;
  readonly #now: () => number;
  readonly #host: CallsHost;
  #serverAheadMs: number | null = null;

  /** `control` is the gate of the control plane as a whole. */
  constructor(
    plane: ControlPlane,
    events: UploaderEvents,
    control: Gate,
    room: Room,
    host: CallsHost,
    options: { signal: AbortSignal; now: () => number },
  ) {
    this.#plane = plane;
    this.#events = events;
    this.#control = control;
    this.#room = room;
    this.#host = host;
    this.#signal = options.signal;
    this.#now = options.now;
  }

  /** The server's clock as of now, from a heartbeat: grants end by it. */
  setServerTime(serverTime: string): void {
    const ahead = Date.parse(serverTime) - this.#now();
    if (Number.isFinite(ahead)) this.#serverAheadMs = ahead;
  }

  /** The end of a grant on this device's clock, in epoch ms, with a margin. */
  grantEndsAt(expiresAt: string): number {
    // Until a heartbeat told the server's clock, the bucket's 403 has to tell that a grant is over.
    if (this.#serverAheadMs === null) return Number.POSITIVE_INFINITY;
    const endsAt = Date.parse(expiresAt) - this.#serverAheadMs - GRANT_MARGIN_MS;
    return Number.isFinite(endsAt) ? endsAt : Number.POSITIVE_INFINITY;
  }

  async start(entry: Consignment): Promise<void> {
    const { shipment, facts, leftover } = entry;
    try {
      const status = leftover ? await this.#statusOrStart(facts) : await this.#begin(facts);
      this.#answered(entry, 'start');
      if (status.state === 'deleting' || status.state === 'deleted') return this.#onDeleted(entry);
      shipment.onStarted(status);
      this.#events.status(shipment.id, status);
      this.#events.limits(shipment.id, status.limits.max_chunk_bytes);
      this.#events.interval(status.heartbeat_interval_ms);
      if (status.complete) this.#onCompleted(entry);
    } catch (error) {
      shipment.onStartFailed();
      this.#onFailed(entry, 'start', error);
    }
  }

  #begin(facts: RecordingFacts) {
    const request = {
      recorder_id: facts.recorderId,
      source: facts.file ? ('file' as const) : ('recorder' as const),
      expected_bytes: facts.file?.size ?? null,
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

  async grant(entry: Consignment, seals: Seal[]): Promise<void> {
    const { shipment } = entry;
    try {
      const chunks = seals.map(claimOf);
      const answers = await this.#plane.grants(shipment.id, chunks, this.#signal);
      const problems = shipment.onGrants(this.#now(), answers, (at) => this.grantEndsAt(at));
      this.#answered(entry, 'grant', problems);
      this.#room.weigh(this.#now(), answers);
      if (answers.some(({ state }) => state === 'acked')) this.#events.acked(shipment.id);
    } catch (error) {
      shipment.onGrantsFailed();
      this.#onFailed(entry, 'grant', error);
    }
  }

  async ack(entry: Consignment, acks: { seq: number; etag?: string }[]): Promise<void> {
    const { shipment } = entry;
    try {
      const answers = await this.#plane.acks(shipment.id, acks, this.#signal);
      const problems = shipment.onAcks(this.#now(), answers);
      this.#answered(entry, 'ack', problems);
      if (!answers.some(({ verdict }) => verdict === 'match')) return;
      this.#room.grantsUsed(this.#now());
      this.#events.acked(shipment.id);
    } catch (error) {
      shipment.onAcksFailed();
      this.#onFailed(entry, 'ack', error);
    }
  }

  async complete(entry: Consignment, end: End): Promise<void> {
    const { shipment } = entry;
    try {
      const ran = await this.#events.whileEnded(shipment.id, async () => {
        const totals = { chunk_count: end.chunkCount, total_bytes: end.totalBytes };
        await this.#plane.complete(shipment.id, totals, this.#signal);
      });
      shipment.onCompleteFailed();
      // Somebody holds it for a moment, or resumed it; then its end was taken back and nothing is due.
      if (!ran) entry.gate.fail(this.#now());
      else {
        this.#answered(entry, 'complete');
        this.#onCompleted(entry);
      }
    } catch (error) {
      shipment.onCompleteFailed();
      this.#onFailed(entry, 'complete', error);
    }
  }

  /** The control plane misses chunks: what it lacks and is here goes again. */
  async #refresh(entry: Consignment): Promise<void> {
    try {
      const status = await this.#plane.status(entry.shipment.id, this.#signal);
      entry.shipment.onStatus(status);
      this.#events.status(entry.shipment.id, status);
    } catch (error) {
      this.#onFailed(entry, 'complete', error);
    }
  }

  #onCompleted(entry: Consignment): void {
    if (entry.shipment.completed || entry.closed) return;
    entry.shipment.onCompleted();
    this.#events.completed(entry.shipment.id);
  }

  #onDeleted(entry: Consignment): void {
    this.#host.close(entry);
    this.#events.deleted(entry.shipment.id);
  }

  /** The control plane answered: its gates open, and the trouble that this very call had before is over. */
  #answered(entry: Consignment, call: Call, problems: Trouble[] = []): void {
    const wasFailing = this.#control.failing || entry.gate.failing;
    const now = this.#now();
    this.#control.succeed(now);
    entry.gate.succeed(now);
    if (wasFailing) this.#events.standing();
    const [first] = problems;
    if (first && entry.shipment.hasRefused) this.#events.stuck(entry.shipment.id, first);
    else if (first) trouble(this.#events, entry, call, first);
    else overcome(this.#events, entry, call);
  }

  #onFailed(entry: Consignment, call: Call, error: unknown): void {
    if (this.#signal.aborted) return;
    if (entry.closed && !isOfTheWhole(error)) return; // Deleted meanwhile: no word about it.
    if (error instanceof CallFailed) this.#onCallFailed(entry, call, error);
    else {
      // No token: nothing at all can be asked for.
      this.#control.fail(this.#now());
      trouble(this.#events, entry, call, asTrouble(error, 'unexpected'));
      this.#events.standing();
    }
  }

  #onCallFailed(entry: Consignment, call: Call, error: CallFailed): void {
    const { shipment } = entry;
    switch (consequenceOf(error)) {
      case 'restart':
        entry.gate.fail(this.#now(), error.retryAfterMs);
        trouble(this.#events, entry, 'start', error.problem);
        shipment.restart();
        return;
      case 'deleted':
        this.#onDeleted(entry);
        return;
      case 'refresh':
        entry.gate.fail(this.#now(), error.retryAfterMs);
        trouble(this.#events, entry, call, error.problem);
        this.#host.run(this.#refresh(entry));
        return;
      case 'stuck':
        shipment.stuck = error.problem;
        this.#events.stuck(shipment.id, error.problem);
        return;
      case 'retry':
        this.#onPassingFailure(entry, call, error);
    }
  }

  #onPassingFailure(entry: Consignment, call: Call, error: CallFailed): void {
    if (isOfTheWhole(error)) this.#control.fail(this.#now(), error.retryAfterMs);
    else {
      entry.gate.fail(this.#now(), error.retryAfterMs);
      trouble(this.#events, entry, call, error.problem);
    }
    this.#events.standing();
  }
}

/** What is asked for: a chunk of which it is not known when it was recorded, a file's for example, says nothing of that. */
function claimOf({ seq, segment, size, sha256, startMs, durationMs }: Seal) {
  const claim = { seq, segment, size, sha256 };
  return durationMs > 0 ? { ...claim, start_ms: Math.round(startMs), duration_ms: Math.round(durationMs) } : claim;
}
