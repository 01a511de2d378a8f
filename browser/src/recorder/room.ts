/** Whether the owner's share of the bucket has room for what is new, as far as grants told. */
import { Gate } from './backoff';
import type { GrantAnswer } from './control-plane';
import type { OverQuota } from './types';

/** What a refusal says of the owner's share; null where it does not. */
export type QuotaFigures = Omit<OverQuota, 'waitingChunks' | 'waitingBytes'>;

/** The refusal that speaks for the owner's share of the bucket, not for the chunk. */
export const QUOTA_EXCEEDED = 'quota_exceeded';

type Refused = Extract<GrantAnswer, { state: 'refused' }>;

export class Room {
  readonly #gate: Gate;
  readonly #changed: (figures: QuotaFigures | null) => void;
  #figures: QuotaFigures | null = null;

  /** `changed` hears when chunks begin to be held back, with each new set of figures, and (null) when that is over. */
  constructor(random: () => number, changed: (figures: QuotaFigures | null) => void) {
    this.#gate = new Gate(random);
    this.#changed = changed;
  }

  /** What holds chunks back at present; null when nothing. */
  get figures(): QuotaFigures | null {
    return this.#figures;
  }

  /** Epoch ms from which new chunks may be asked for again. */
  get opensAt(): number {
    return this.#gate.opensAt;
  }

  isOpen(now: number): boolean {
    return this.#gate.isOpen(now);
  }

  /**
   * One refusal for want of room speaks for all that is new. A grant without one says that there is room again, unless it
   * was asked before such a refusal.
   */
  weigh(now: number, answers: readonly GrantAnswer[]): void {
    const refused = answers.filter((answer) => answer.state === 'refused').find(isForRoom);
    if (refused) {
      this.#gate.fail(now);
      this.#set(figuresOf(refused));
    } else if (this.isOpen(now) && answers.some(({ state }) => state === 'granted')) this.over(now);
  }

  /** Nothing is held back any more. */
  over(now: number): void {
    this.#gate.succeed(now);
    this.#set(null);
  }

  /** Something was deleted, or a person asked: there may be room again, so it is asked for at once. */
  askNow(now: number): void {
    this.#gate.reset(now);
  }

  #set(figures: QuotaFigures | null): void {
    if (isSame(this.#figures, figures)) return;
    this.#figures = figures;
    this.#changed(figures);
  }
}

function isForRoom({ problem }: Refused): boolean {
  return problem.code === QUOTA_EXCEEDED;
}

function figuresOf({ problem: { used_bytes, reserved_bytes, limit_bytes } }: Refused): QuotaFigures {
  return { usedBytes: used_bytes ?? null, reservedBytes: reserved_bytes ?? null, limitBytes: limit_bytes ?? null };
}

function isSame(a: QuotaFigures | null, b: QuotaFigures | null): boolean {
  if (a === null || b === null) return a === b;
  return a.usedBytes === b.usedBytes && a.reservedBytes === b.reservedBytes && a.limitBytes === b.limitBytes;
}
