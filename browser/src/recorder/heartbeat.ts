/** The recorder's periodic call: says what is held, brings back tickets and releases. Never needed for uploading. */
import { Gate } from './backoff';
import {
  CallFailed,
  type ControlPlane,
  type HeartbeatAnswer,
  type HeartbeatRequest,
  type Holding,
  SDK_VERSION,
} from './control-plane';
import { asTrouble, type Trouble } from './failure';
import type { StorageReport } from './types';

/** Until the control plane names another: prompt enough for releases, light enough for thousands of recorders. */
export const DEFAULT_HEARTBEAT_MS = 5_000;

/** Beats asked for by events come at most this often. */
const SOONEST_MS = 1_000;

/** While nothing is held but kept copies: a bucket that loses one is not repaired in seconds anyway. */
const CALM_MS = 60_000;

/** What the protocol lets one heartbeat say. */
const MAX_RECORDINGS = 1_000;
const MAX_RANGES = 10_000;

/** Spread by this share either way, so that recorders started together do not stay together. */
const JITTER = 0.2;

export interface HeartbeatDuties {
  /** False while nothing is held and nothing is recorded: then there is nothing to say. */
  needed(): boolean;
  /** True while there is only something to ask for: then beats come rarely. */
  calm(): boolean;
  holding(): Holding[];
  storage(): Promise<StorageReport>;
  /** Acts on an answer; awaited, so that answers are handled one after the other. */
  handle(answer: HeartbeatAnswer): Promise<void>;
  trouble(problem: Trouble): void;
}

/** The wait until the next beat: the interval, 20 % either way. */
export function jittered(intervalMs: number, random: () => number = Math.random): number {
  return intervalMs * (1 - JITTER + 2 * JITTER * random());
}

/** Lets an answer pass only if none to a later heartbeat passed before: late answers tell what no longer holds. */
export class AnswerOrder {
  #latest = -1;

  admits(counter: number): boolean {
    if (counter <= this.#latest) return false;
    this.#latest = counter;
    return true;
  }
}

/** Cuts what is held to what one heartbeat may say; `offset` moves on, so that in turn everything is said. */
export function withinBounds(holding: readonly Holding[], offset: number): Holding[] {
  const bounded: Holding[] = [];
  let ranges = 0;
  for (let i = 0; i < Math.min(holding.length, MAX_RECORDINGS); i += 1) {
    const next = holding[(offset + i) % holding.length];
    if (!next) break;
    const room = MAX_RANGES - ranges;
    if (room <= 0) break;
    bounded.push(cutTo(next, room));
    ranges += Math.min(room, next.ranges.length + (next.kept?.length ?? 0));
  }
  return bounded;
}

/** What is held goes before what is only kept. */
function cutTo(holding: Holding, room: number): Holding {
  const { ranges, kept = [] } = holding;
  if (ranges.length + kept.length <= room) return holding;
  return { ...holding, ranges: ranges.slice(0, room), kept: kept.slice(0, Math.max(0, room - ranges.length)) };
}

export class Heartbeat {
  readonly #plane: ControlPlane;
  readonly #recorderId: string;
  readonly #duties: HeartbeatDuties;
  readonly #signal: AbortSignal;
  readonly #random: () => number;
  readonly #gate: Gate;
  readonly #order = new AnswerOrder();
  readonly #gone = new Set<string>();
  #counter = 0;
  #offset = 0;
  #intervalMs = DEFAULT_HEARTBEAT_MS;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #dueAt = Number.POSITIVE_INFINITY;
  #lastBeatAt = Number.NEGATIVE_INFINITY;
  #beating = false;

  /** Beats until `signal` aborts; the first time when `soon` is called. */
  constructor(
    plane: ControlPlane,
    recorderId: string,
    duties: HeartbeatDuties,
    signal: AbortSignal,
    random: () => number = Math.random,
  ) {
    this.#plane = plane;
    this.#random = random;
    this.#gate = new Gate(random);
    this.#recorderId = recorderId;
    this.#duties = duties;
    this.#signal = signal;
    signal.addEventListener('abort', () => clearTimeout(this.#timer));
  }

  setIntervalMs(ms: number): void {
    if (ms > 0) this.#intervalMs = ms;
  }

  /** Something waits for an answer: beats as soon as allowed, at most once a second. */
  soon(): void {
    if (this.#beating || this.#signal.aborted) return;
    const now = Date.now();
    this.#schedule(Math.max(now, this.#lastBeatAt + SOONEST_MS, this.#gate.opensAt));
  }

  /** The network came back, or a person asked. */
  wake(): void {
    this.#gate.reset(Date.now());
    this.soon();
  }

  /** The chunk of this ticket is not held here: the next heartbeat says so. */
  gone(ticketId: string): void {
    this.#gone.add(ticketId);
  }

  #schedule(at: number): void {
    if (at >= this.#dueAt) return;
    clearTimeout(this.#timer);
    this.#dueAt = at;
    this.#timer = setTimeout(() => void this.#beat(), Math.max(0, at - Date.now()));
  }

  async #beat(): Promise<void> {
    this.#dueAt = Number.POSITIVE_INFINITY;
    if (this.#beating || this.#signal.aborted || !this.#duties.needed()) return;
    this.#beating = true;
    this.#lastBeatAt = Date.now();
    try {
      await this.#exchange();
      this.#gate.succeed(Date.now());
    } catch (error) {
      this.#onFailure(error);
    } finally {
      this.#beating = false;
      const calm = this.#duties.calm() && this.#gone.size === 0;
      const intervalMs = calm ? Math.max(CALM_MS, this.#intervalMs) : this.#intervalMs;
      const regular = this.#lastBeatAt + jittered(intervalMs, this.#random);
      if (!this.#signal.aborted)
        this.#schedule(this.#gate.failing ? Math.max(this.#gate.opensAt, this.#lastBeatAt + SOONEST_MS) : regular);
    }
  }

  async #exchange(): Promise<void> {
    const gone = [...this.#gone];
    const request = await this.#request(gone);
    const answer = await this.#plane.heartbeat(request, this.#signal);
    for (const id of gone) this.#gone.delete(id);
    this.setIntervalMs(answer.next_heartbeat_ms);
    if (this.#order.admits(answer.counter)) await this.#duties.handle(answer);
  }

  async #request(gone: string[]): Promise<HeartbeatRequest> {
    this.#counter += 1;
    const storage = await this.#duties.storage(); // First: it may end that something is kept.
    const all = this.#duties.holding();
    const holding = withinBounds(all, this.#offset);
    this.#offset = holding.length < all.length ? (this.#offset + holding.length) % all.length : 0;
    return { recorder_id: this.#recorderId, counter: this.#counter, sdk: SDK_VERSION, storage, holding, gone };
  }

  #onFailure(error: unknown): void {
    if (this.#signal.aborted) return;
    this.#gate.fail(Date.now(), error instanceof CallFailed ? error.retryAfterMs : 0);
    // No answer and 5xx show as the connection's state; what else fails needs somebody to read it.
    const passing = error instanceof CallFailed && (error.status === 0 || error.status === 429 || error.status >= 500);
    if (!passing) this.#duties.trouble(error instanceof CallFailed ? error.problem : asTrouble(error, 'unexpected'));
  }
}
