/** Whether there is room for what is new, as far as grants told: in the owner's share of the bucket, and among its live grants. */
import { Gate } from './backoff';
import type { GrantAnswer } from './control-plane';
import type { OverQuota } from './types';

/** What a refusal says of the owner's share; null where it does not. */
export type QuotaFigures = Omit<OverQuota, 'waitingChunks' | 'waitingBytes'>;

/** The refusal that speaks for the owner's share of the bucket, not for the chunk. */
const QUOTA_EXCEEDED = 'quota_exceeded';

/** The refusal that speaks for how many grants the owner has at once: it passes by itself, and is nobody's business. */
const TOO_MANY_GRANTS = 'too_many_grants';

/** Refusals of a chunk that wait for room: nothing is wrong with the chunk, and no person is asked for help. */
export function waitsForRoom(code: string | undefined): boolean {
  return code === QUOTA_EXCEEDED || code === TOO_MANY_GRANTS;
}

type Refused = Extract<GrantAnswer, { state: 'refused' }>;

export class Room {
  readonly #gate: Gate;
  readonly #grants: Gate;
  readonly #changed: (figures: QuotaFigures | null) => void;
  #figures: QuotaFigures | null = null;

  /** `changed` hears when chunks begin to be held back, with each new set of figures, and (null) when that is over. */
  constructor(random: () => number, changed: (figures: QuotaFigures | null) => void) {
    this.#gate = new Gate(random);
    this.#grants = new Gate(random);
    this.#changed = changed;
  }

  /** What holds chunks back at present; null when nothing. */
  get figures(): QuotaFigures | null {
    return this.#figures;
  }

  /** Epoch ms from which new chunks may be asked for again. */
  get opensAt(): number {
    return Math.max(this.#gate.opensAt, this.#grants.opensAt);
  }

  isOpen(now: number): boolean {
    return this.#gate.isOpen(now) && this.#grants.isOpen(now);
  }

  /**
   * One refusal for want of room speaks for all that is new. A grant without one says that there is room again, unless it
   * was asked before such a refusal.
   */
  weigh(now: number, answers: readonly GrantAnswer[]): void {
    const refused = answers.filter((answer) => answer.state === 'refused');
    const granted = answers.some(({ state }) => state === 'granted');
    const overQuota = refused.find(isFor(QUOTA_EXCEEDED));
    if (overQuota) {
      this.#gate.fail(now);
      this.#set(figuresOf(overQuota));
    } else if (this.#gate.isOpen(now) && granted) this.#inQuota(now);
    if (refused.some(isFor(TOO_MANY_GRANTS))) this.#grants.fail(now);
    else if (this.#grants.isOpen(now) && granted) this.#grants.succeed(now);
  }

  /** Nothing is held back any more. */
  over(now: number): void {
    this.#inQuota(now);
    this.#grants.succeed(now);
  }

  /** Chunks were acknowledged: as many grants are no longer live. */
  grantsUsed(now: number): void {
    this.#grants.reset(now);
  }

  /** Something was deleted, or a person asked: there may be room again, so it is asked for at once. */
  askNow(now: number): void {
    this.#gate.reset(now);
    this.#grants.reset(now);
  }

  #inQuota(now: number): void {
    this.#gate.succeed(now);
    this.#set(null);
  }

  #set(figures: QuotaFigures | null): void {
    if (isSame(this.#figures, figures)) return;
    this.#figures = figures;
    this.#changed(figures);
  }
}

function isFor(code: string): (refused: Refused) => boolean {
  return ({ problem }) => problem.code === code;
}

function figuresOf({ problem: { used_bytes, reserved_bytes, limit_bytes } }: Refused): QuotaFigures {
  return { usedBytes: used_bytes ?? null, reservedBytes: reserved_bytes ?? null, limitBytes: limit_bytes ?? null };
}

function isSame(a: QuotaFigures | null, b: QuotaFigures | null): boolean {
  if (a === null || b === null) return a === b;
  return a.usedBytes === b.usedBytes && a.reservedBytes === b.reservedBytes && a.limitBytes === b.limitBytes;
}
