/** The protocol in memory: strict where the real one is strict, with a bucket that a test can lose objects of. */
import {
  type AckAnswer,
  CallFailed,
  type ControlPlane,
  type DeletionAnswer,
  type GrantAnswer,
  type HeartbeatAnswer,
  type HeartbeatRequest,
  type Put,
  type PutOutcome,
  type RecordingStatus,
  type StartRequest,
} from '../../../src/recorder/control-plane';
import { toRanges } from '../../../src/recorder/ranges';

interface Chunk {
  seq: number;
  segment: number;
  size: number;
  sha256: string;
  state: 'granted' | 'acked' | 'confirmed' | 'missing';
  overwrite: boolean;
}

type Call = 'start' | 'status' | 'grants' | 'acks' | 'complete' | 'heartbeat' | 'delete' | 'put';

/** What a call is made to meet: `drop` never arrives, `lose` takes effect and its answer is lost, or a status. */
export type Fault = 'drop' | 'lose' | number | null;

export class FakeControlPlane implements ControlPlane {
  readonly recordings = new Map<string, { request: StartRequest; chunks: Map<number, Chunk>; complete: boolean }>();
  readonly objects = new Map<string, number>();
  readonly calls: { call: Call; id: string; seqs: number[] }[] = [];
  fault: (call: Call) => Fault = () => null;
  readonly deleted = new Set<string>();
  /** Bytes that may be granted in all; null: no limit. */
  limitBytes: number | null = null;
  /** How many chunks may be granted and not acked at once; null: no limit. */
  liveGrants: number | null = null;
  /** Problem codes to refuse chunks with, by seq. */
  readonly refusals = new Map<number, string>();

  key(id: string, chunk: { seq: number; sha256: string }): string {
    return `${id}/${chunk.seq}/${chunk.sha256}`;
  }

  confirmAll(): void {
    for (const { chunks } of this.recordings.values()) {
      for (const chunk of chunks.values()) if (chunk.state === 'acked') chunk.state = 'confirmed';
    }
  }

  start(id: string, request: StartRequest): Promise<RecordingStatus> {
    return this.#meet('start', id, [], () => {
      if (this.deleted.has(id)) throw failure(410, 'recording_deleted');
      if (!this.recordings.has(id)) this.recordings.set(id, { request, chunks: new Map(), complete: false });
      return this.#status(id);
    });
  }

  status(id: string): Promise<RecordingStatus> {
    return this.#meet('status', id, [], () => this.#status(id));
  }

  grants(id: string, asked: Pick<Chunk, 'seq' | 'segment' | 'size' | 'sha256'>[]): Promise<GrantAnswer[]> {
    const seqs = asked.map(({ seq }) => seq);
    return this.#meet('grants', id, seqs, () => asked.map((chunk) => this.#grant(id, chunk)));
  }

  acks(id: string, acks: { seq: number; etag?: string }[]): Promise<AckAnswer[]> {
    const seqs = acks.map(({ seq }) => seq);
    return this.#meet('acks', id, seqs, () => acks.map(({ seq }) => this.#ack(id, seq)));
  }

  complete(id: string, totals: { chunk_count: number; total_bytes: number }): Promise<RecordingStatus> {
    return this.#meet('complete', id, [], () => {
      const received = this.#received(id);
      if (received.length < totals.chunk_count) throw failure(409, 'chunks_missing');
      if (received.reduce((sum, { size }) => sum + size, 0) !== totals.total_bytes) throw failure(409, 'totals_differ');
      this.#recording(id).complete = true;
      return this.#status(id);
    });
  }

  heartbeat(request: HeartbeatRequest): Promise<HeartbeatAnswer> {
    return this.#meet('heartbeat', '', [], () => ({
      counter: request.counter,
      server_time: new Date().toISOString(),
      next_heartbeat_ms: 5_000,
      tickets: [],
      releases: [],
      discard: [],
      notices: [],
    }));
  }

  delete(id: string): Promise<DeletionAnswer> {
    return this.#meet('delete', id, [], () => {
      this.#recording(id, true);
      this.deleted.add(id);
      return { id, state: 'deleting' };
    });
  }

  async put(put: Put, body: Blob): Promise<PutOutcome> {
    const fault = this.fault('put');
    this.calls.push({ call: 'put', id: put.url, seqs: [] });
    if (fault === 'drop') return { kind: 'unknown', reason: 'dropped' };
    if (typeof fault === 'number') return { kind: fault === 403 ? 'refused' : 'busy', retryAfterMs: 0 };
    if (put.headers['if-none-match'] && this.objects.has(put.url)) return { kind: 'exists' };
    this.objects.set(put.url, body.size);
    return fault === 'lose' ? { kind: 'unknown', reason: 'answer lost' } : { kind: 'stored', etag: 'e' };
  }

  /** Whether the bucket answers anything at all. */
  bucketAnswers = true;

  async reaches(): Promise<boolean> {
    return this.bucketAnswers;
  }

  async #meet<T>(call: Call, id: string, seqs: number[], work: () => T): Promise<T> {
    this.calls.push({ call, id, seqs });
    const fault = this.fault(call);
    if (fault === 'drop') throw failure(0, 'network');
    if (typeof fault === 'number') throw failure(fault, 'injected');
    const answer = work();
    if (fault === 'lose') throw failure(0, 'network');
    return answer;
  }

  #recording(id: string, evenDeleted = false) {
    const recording = this.recordings.get(id);
    if (!recording) throw failure(404, 'recording_unknown');
    if (this.deleted.has(id) && !evenDeleted) throw failure(410, 'recording_deleted');
    return recording;
  }

  #received(id: string): Chunk[] {
    return [...this.#recording(id).chunks.values()].filter(({ state }) => state === 'acked' || state === 'confirmed');
  }

  #grant(id: string, asked: Pick<Chunk, 'seq' | 'segment' | 'size' | 'sha256'>): GrantAnswer {
    const { chunks } = this.#recording(id);
    const refusal = this.refusals.get(asked.seq);
    if (refusal) return { seq: asked.seq, state: 'refused', problem: { code: refusal, detail: refusal } };
    const overQuota = chunks.has(asked.seq) ? null : this.#overQuota(asked.size);
    if (overQuota) return { seq: asked.seq, state: 'refused', problem: overQuota };
    const tooMany = chunks.has(asked.seq) ? null : this.#tooManyGrants();
    if (tooMany) return { seq: asked.seq, state: 'refused', problem: tooMany };
    const chunk = chunks.get(asked.seq) ?? { ...asked, state: 'granted' as const, overwrite: false };
    if (chunk.sha256 !== asked.sha256) {
      return { seq: asked.seq, state: 'refused', problem: { code: 'chunk_conflict', detail: 'bound to others' } };
    }
    chunks.set(asked.seq, chunk);
    if (chunk.state === 'acked' || chunk.state === 'confirmed') return { seq: asked.seq, state: chunk.state };
    const headers: Record<string, string> = chunk.overwrite ? {} : { 'if-none-match': '*' };
    const expires_at = new Date(Date.now() + 600_000).toISOString();
    return { seq: asked.seq, state: 'granted', put: { url: this.key(id, chunk), headers }, expires_at };
  }

  #overQuota(size: number) {
    let used = 0;
    for (const [id, { chunks }] of this.recordings) {
      if (!this.deleted.has(id)) for (const chunk of chunks.values()) used += chunk.size;
    }
    if (this.limitBytes === null || used + size <= this.limitBytes) return null;
    const figures = { used_bytes: used, reserved_bytes: 0, limit_bytes: this.limitBytes };
    return { code: 'quota_exceeded', detail: 'no room', ...figures };
  }

  #tooManyGrants() {
    const all = [...this.recordings.values()].flatMap(({ chunks }) => [...chunks.values()]);
    const live = all.filter(({ state }) => state === 'granted').length;
    if (this.liveGrants === null || live < this.liveGrants) return null;
    const figures = { live_grants: live, max_live_grants: this.liveGrants };
    return { code: 'too_many_grants', detail: 'too many at once', ...figures };
  }

  #ack(id: string, seq: number): AckAnswer {
    const chunk = this.#recording(id).chunks.get(seq);
    if (!chunk) {
      return { seq, verdict: null, state: 'refused', problem: { code: 'chunk_not_granted', detail: 'never granted' } };
    }
    if (!this.objects.has(this.key(id, chunk))) {
      chunk.overwrite = true;
      return { seq, verdict: 'missing', state: chunk.state };
    }
    if (chunk.state !== 'confirmed') chunk.state = 'acked';
    return { seq, verdict: 'match', state: chunk.state };
  }

  #status(id: string): RecordingStatus {
    const { complete } = this.#recording(id);
    return {
      id,
      state: complete ? 'complete' : 'open',
      complete,
      received: toRanges(this.#received(id).map(({ seq }) => seq)),
      confirmed: [],
      missing: [],
      lost: [],
      limits: { max_chunk_bytes: 134_217_728, max_batch: 1_000, max_seq: 99_999_999, max_segment: 9_999 },
      heartbeat_interval_ms: 5_000,
    };
  }
}

export function failure(status: number, code: string, retryAfterMs = 0): CallFailed {
  return new CallFailed(status, { code, detail: code, status }, retryAfterMs);
}
