/** The sealed chunks of one recording that are still on this device, by the stage they are in. Keeps; decides nothing. */
import type { Put } from './control-plane';
import type { Seal } from './journal';

export type Stage = 'todo' | 'granted' | 'putting' | 'in_bucket' | 'acking' | 'acked' | 'refused';

export interface Parcel {
  readonly seal: Seal;
  stage: Stage;
  put: Put | null;
  /** Epoch ms on this device's clock after which the grant is not worth trying. */
  grantEndsAt: number;
  etag: string | undefined;
  /** The bucket lost it: it goes before everything that is only new. */
  urgent: boolean;
  attempts: number;
  notBefore: number;
  /** Room was set aside for it once: asking again costs no more of the quota. */
  reserved: boolean;
  /** The code by which it was refused for good, while it is. */
  refusal: string | null;
}

export class Parcels {
  readonly #bySeq = new Map<number, Parcel>();
  readonly #stages: Record<Stage, Set<number>> = {
    todo: new Set(),
    granted: new Set(),
    putting: new Set(),
    in_bucket: new Set(),
    acking: new Set(),
    acked: new Set(),
    refused: new Set(),
  };

  get size(): number {
    return this.#bySeq.size;
  }

  get(seq: number): Parcel | undefined {
    return this.#bySeq.get(seq);
  }

  /** The one of this number, if it has this digest. */
  withDigest(seq: number, sha256: string): Parcel | undefined {
    const parcel = this.#bySeq.get(seq);
    return parcel?.seal.sha256 === sha256 ? parcel : undefined;
  }

  all(): Iterable<Parcel> {
    return this.#bySeq.values();
  }

  seqs(): Iterable<number> {
    return this.#bySeq.keys();
  }

  add(seal: Seal): void {
    if (this.#bySeq.has(seal.seq)) return;
    this.#bySeq.set(seal.seq, {
      seal,
      stage: 'todo',
      put: null,
      grantEndsAt: 0,
      etag: undefined,
      urgent: false,
      attempts: 0,
      notBefore: 0,
      reserved: false,
      refusal: null,
    });
    this.#stages.todo.add(seal.seq);
  }

  drop(seq: number): void {
    const parcel = this.#bySeq.get(seq);
    if (!parcel) return;
    this.#stages[parcel.stage].delete(seq);
    this.#bySeq.delete(seq);
  }

  count(stage: Stage): number {
    return this.#stages[stage].size;
  }

  /** All of a stage, as they are now: moving them while going through is fine. */
  in(stage: Stage): Parcel[] {
    return [...this.#stages[stage]].flatMap((seq) => this.#bySeq.get(seq) ?? []);
  }

  /** Those of a stage whose time has come: urgent ones first, then by number. */
  ready(stage: Stage, now: number, limit: number): Parcel[] {
    if (limit <= 0) return [];
    return this.in(stage)
      .filter(({ notBefore }) => notBefore <= now)
      .sort((a, b) => Number(b.urgent) - Number(a.urgent) || a.seal.seq - b.seal.seq)
      .slice(0, limit);
  }

  /** When the time of the next one of a stage comes, after `now`; Infinity where none waits. */
  nextTurn(stage: Stage, now: number): number {
    let at = Number.POSITIVE_INFINITY;
    for (const { notBefore } of this.in(stage)) if (notBefore > now) at = Math.min(at, notBefore);
    return at;
  }

  moveAll(from: Stage, to: Stage): void {
    for (const parcel of this.in(from)) this.move(parcel, to);
  }

  move(parcel: Parcel, stage: Stage): void {
    this.#stages[parcel.stage].delete(parcel.seal.seq);
    parcel.stage = stage;
    this.#stages[stage].add(parcel.seal.seq);
    if (stage === 'todo') parcel.put = null;
  }
}
