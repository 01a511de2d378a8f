/** The bucket's side of the uploader: one PUT after its grant, and what its outcome says of the bucket. */
import { Gate } from './backoff';
import { ByteRate } from './byte-rate';
import { type ChunkSource, type Consignment, overcome, trouble, type UploaderEvents } from './consignment';
import type { ControlPlane, Put, PutOutcome } from './control-plane';
import { asTrouble, Failure, troubleOf } from './failure';
import { Lanes } from './lanes';
import { Pace } from './pace';
import type { Parcel } from './parcels';

/** After this many refusals of its body a chunk is read back and compared: a damaged file must not loop for ever. */
const REJECTIONS_BEFORE_CHECK = 3;

/** One PUT that fails is the network; this many in a row, while the control plane answers, is something to look into. */
const PUT_FAILURES_BEFORE_WORD = 3;

/** Where no answer was ever read it is looked at sooner: so it is from the first PUT on if the bucket does not let this page in. */
const PUT_FAILURES_BEFORE_LOOK = 2;

export class Puts {
  readonly gate: Gate;
  readonly pace = new Pace();
  readonly #plane: ControlPlane;
  readonly #source: ChunkSource;
  readonly #events: UploaderEvents;
  readonly #control: Gate;
  readonly #signal: AbortSignal;
  readonly #now: () => number;
  readonly #rate = new ByteRate();
  readonly #lanes: Lanes;
  #underWay = 0;
  #failures = 0;
  #heard = false;

  /** `control` is the control plane's gate: while that fails too, nothing is said of the bucket. */
  constructor(
    plane: ControlPlane,
    source: ChunkSource,
    events: UploaderEvents,
    control: Gate,
    options: { parallelPuts: number; signal: AbortSignal; now: () => number; random: () => number },
  ) {
    this.#plane = plane;
    this.#source = source;
    this.#events = events;
    this.#control = control;
    this.#signal = options.signal;
    this.#now = options.now;
    this.gate = new Gate(options.random);
    this.#lanes = new Lanes(options.parallelPuts);
  }

  /** Whether one more PUT may begin now; `beside` of those under way take no lane from it. */
  mayBegin(now: number, beside: number): boolean {
    return this.gate.isOpen(now) && this.pace.isOpen(now) && this.#underWay - beside < this.#lanes.open;
  }

  /** All that could begin has begun. */
  begun(now: number): void {
    this.#lanes.observe(now, this.#underWay);
  }

  get underWay(): number {
    return this.#underWay;
  }

  /** Bytes a second over the last seconds, or null when nothing was sent in them. */
  get rate(): number | null {
    return this.#rate.perSecond(this.#now());
  }

  async put(entry: Consignment, parcel: Parcel): Promise<void> {
    const { shipment } = entry;
    this.#underWay += 1;
    this.pace.spend(this.#now(), parcel.seal.size);
    this.#events.standing();
    try {
      if (parcel.put) await this.#putFile(entry, parcel, parcel.put);
    } catch (error) {
      if (this.#signal.aborted || entry.closed) return;
      shipment.onUnreadable(parcel.seal.seq);
      this.#events.stuck(shipment.id, asTrouble(error, 'chunk_vanished'));
    } finally {
      this.#underWay -= 1;
      this.#events.standing();
    }
  }

  async #putFile(entry: Consignment, parcel: Parcel, put: Put): Promise<void> {
    const { shipment } = entry;
    const { seal } = parcel;
    const file = await this.#source.chunkFile(shipment.id, seal);
    const beganAt = this.#now();
    const outcome = await this.#plane.put(put, file, parcel.attempts, this.#signal);
    const now = this.#now();
    this.#weigh(entry, put, outcome, now);
    if (outcome.kind === 'stored') {
      this.#rate.add(now, seal.size);
      this.#lanes.carried(now, seal.size);
    } else if (outcome.kind === 'busy' || outcome.kind === 'unknown') this.#lanes.failed(now, beganAt);
    const suspect = outcome.kind === 'rejected' && parcel.attempts >= REJECTIONS_BEFORE_CHECK;
    if (suspect && !(await this.#source.isIntact(shipment.id, seal))) throw new Failure('chunk_damaged');
    shipment.onPut(now, seal.seq, outcome);
  }

  /** Opens or closes the bucket's gate, and says aloud when the bucket keeps failing while the control plane answers. */
  #weigh(entry: Consignment, put: Put, outcome: PutOutcome, now: number): void {
    this.#heard ||= outcome.kind !== 'unknown';
    const failed = outcome.kind === 'busy' || outcome.kind === 'unknown' || outcome.kind === 'refused';
    if (!failed) {
      this.#failures = 0;
      this.gate.succeed(now);
      overcome(this.#events, entry, 'put');
      return;
    }
    this.#failures += 1;
    if (outcome.kind !== 'refused') this.gate.fail(now, outcome.kind === 'busy' ? outcome.retryAfterMs : 0);
    void this.#say(entry, put, outcome.kind === 'unknown' ? outcome.reason : outcome.kind);
  }

  /**
   * A bucket whose CORS rules leave the page out looks like one that is down: the browser tells only that there was no answer. One
   * that answers a request without CORS, and whose answers to PUTs were never readable, leaves this page out.
   */
  async #say(entry: Consignment, put: Put, reason: string): Promise<void> {
    const suspect = !this.#heard && this.#failures >= PUT_FAILURES_BEFORE_LOOK && !this.#control.failing;
    const refused = suspect && (await this.#plane.reaches(put, this.#signal));
    if (this.#failures < (refused ? 1 : PUT_FAILURES_BEFORE_WORD) || this.#control.failing) return;
    trouble(this.#events, entry, 'put', troubleOf(refused ? 'bucket_refuses_page' : 'bucket_unreachable', reason));
  }
}
