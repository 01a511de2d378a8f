/**
 * What this worker knows of its owner's recordings: the views that pages show, kept as immutable values, and the note of
 * what changed since the last delta. It decides nothing.
 */
import type { Trouble } from './failure';
import type { End, RecordingFacts, Seal } from './journal';
import type { FileMarks, RecordingDelta, RecordingHead } from './spool-protocol';
import type { ChunkState, ChunkView } from './types';

export interface Entry {
  facts: RecordingFacts;
  chunks: Map<number, ChunkView>;
  /** A tab writes to it: this one or another. */
  live: boolean;
  paused: boolean;
  /** All its devices are gone. */
  waiting: boolean;
  durationMs: number;
  end: End | null;
  complete: boolean;
  stuck: boolean;
  recovered: boolean;
  problem: Trouble | undefined;
  unwritten: Trouble | undefined;
  /** Set for an upload of a file. */
  file?: FileMarks | undefined;
}

const NOT_YET: FileMarks = {
  paused: false,
  checking: false,
  sourceNeeded: false,
  reopenable: false,
  bytesPerSecond: null,
};

/** States in which a chunk is safe without this device. */
export function isSafe(state: ChunkState): boolean {
  return state === 'confirmed' || state === 'released';
}

/** States in which the bucket has taken a chunk. */
export function isSent(state: ChunkState): boolean {
  return state === 'in_bucket' || state === 'acked' || isSafe(state);
}

/** What a recording's chunks add up to. */
export function totalsOf(
  chunks: Iterable<ChunkView>,
): Pick<RecordingHead, 'bytes' | 'sentBytes' | 'safeMs' | 'chunksOnlyHere' | 'bytesOnlyHere'> {
  const totals = { bytes: 0, sentBytes: 0, safeMs: 0, chunksOnlyHere: 0, bytesOnlyHere: 0 };
  let firstUnsafeMs = Number.POSITIVE_INFINITY;
  let endMs = 0;
  for (const chunk of chunks) {
    totals.bytes += chunk.size;
    if (isSent(chunk.state)) totals.sentBytes += chunk.size;
    endMs = Math.max(endMs, chunk.startMs + chunk.durationMs);
    if (isSafe(chunk.state)) continue;
    totals.chunksOnlyHere += 1;
    totals.bytesOnlyHere += chunk.size;
    firstUnsafeMs = Math.min(firstUnsafeMs, chunk.startMs);
  }
  totals.safeMs = Math.min(endMs, firstUnsafeMs);
  return totals;
}

/** Bytes of the chunks that are in OPFS, whether or not they are safe without it. */
export function bytesHeld(chunks: Iterable<ChunkView>): number {
  let held = 0;
  for (const { state, size, held: copied } of chunks) if (state !== 'released' && copied !== false) held += size;
  return held;
}

/** A sealed chunk as a view, reached at `now`. */
export function viewOf(seal: Seal, state: ChunkState, now: number): ChunkView {
  return { ...seal, state, times: { [state]: now }, resent: 0 };
}

export class Inventory {
  readonly #entries = new Map<string, Entry>();
  readonly #dirty = new Map<string, Set<number>>();
  readonly #now: () => number;
  readonly #onChunk: (id: string, chunk: ChunkView) => void;
  readonly #onDirty: () => void;

  constructor(now: () => number, onChunk: (id: string, chunk: ChunkView) => void, onDirty: () => void) {
    this.#now = now;
    this.#onChunk = onChunk;
    this.#onDirty = onDirty;
  }

  get(id: string): Entry | undefined {
    return this.#entries.get(id);
  }

  entries(): IterableIterator<[string, Entry]> {
    return this.#entries.entries();
  }

  /** Bytes of all chunks that this device keeps for this owner. */
  bytesHeld(): number {
    return [...this.#entries.values()].reduce((sum, { chunks }) => sum + bytesHeld(chunks.values()), 0);
  }

  /** The entry of a recording, made when it is new. */
  open(facts: RecordingFacts, marks: Partial<Pick<Entry, 'live' | 'recovered' | 'end' | 'complete'>> = {}): Entry {
    let entry = this.#entries.get(facts.id);
    if (!entry) {
      entry = {
        facts,
        chunks: new Map(),
        live: false,
        paused: false,
        waiting: false,
        durationMs: 0,
        end: null,
        complete: false,
        stuck: false,
        recovered: false,
        problem: undefined,
        unwritten: undefined,
        file: facts.file && { ...NOT_YET },
      };
      this.#entries.set(facts.id, entry);
    }
    Object.assign(entry, marks);
    this.#touch(facts.id);
    return entry;
  }

  /** Changes what is said of a recording as a whole. */
  mark(id: string, marks: Partial<Omit<Entry, 'facts' | 'chunks'>>): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    Object.assign(entry, marks);
    this.#touch(id);
  }

  forget(id: string): void {
    if (this.#entries.delete(id)) this.#touch(id);
  }

  /** Puts a chunk's view in place of the one before; the times already known are kept. */
  put(id: string, chunk: ChunkView): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    const before = entry.chunks.get(chunk.seq);
    const merged = before
      ? { ...chunk, times: { ...chunk.times, ...before.times }, resent: Math.max(before.resent, chunk.resent) }
      : chunk;
    entry.chunks.set(chunk.seq, merged);
    entry.durationMs = Math.max(entry.durationMs, chunk.startMs + chunk.durationMs);
    this.#touch(id, chunk.seq);
    if (before?.state !== merged.state) this.#onChunk(id, merged);
  }

  /** Moves a chunk to a state; unknown chunks and repeated states change nothing. */
  move(id: string, seq: number, state: ChunkState): void {
    const before = this.#entries.get(id)?.chunks.get(seq);
    if (!before || before.state === state) return;
    // Going back from a state that waits for the bucket means a repeated try, not a chunk lost by the bucket.
    const resent = before.resent + (state === 'resending' && isProven(before.state) ? 1 : 0);
    const times = { ...before.times, [state]: before.times[state] ?? this.#now() };
    this.put(id, { ...before, state, resent, times });
  }

  /** Takes in what another tab's worker says; `keepWriting` leaves alone what this worker writes itself. */
  applyRemote(delta: RecordingDelta, keepWriting: boolean): void {
    const { head, chunks } = delta;
    if (!head) {
      // Whoever writes it is told by a message of its own, and lets go of the file first.
      if (!keepWriting) this.forget(delta.id);
      return;
    }
    const entry = this.open(head.facts);
    for (const chunk of chunks) {
      const mine = entry.chunks.get(chunk.seq);
      if (keepWriting && (!mine || mine.state === 'writing' || chunk.state === 'writing')) continue;
      this.put(delta.id, chunk);
    }
    const { complete, stuck, problem, recovered } = head;
    this.mark(
      delta.id,
      keepWriting
        ? { complete, stuck, problem: problem ?? entry.problem }
        : { ...marksOf(head), complete, stuck, problem, recovered, unwritten: head.unwritten, file: head.file },
    );
  }

  /** Everything changed since the last call, or with `all` everything there is. */
  takeDeltas(all = false): RecordingDelta[] {
    const ids = all ? [...this.#entries.keys()] : [...this.#dirty.keys()];
    const deltas = ids.map((id) => this.#delta(id, all ? null : (this.#dirty.get(id) ?? new Set())));
    if (!all) this.#dirty.clear();
    return deltas;
  }

  #delta(id: string, seqs: ReadonlySet<number> | null): RecordingDelta {
    const entry = this.#entries.get(id);
    if (!entry) return { id, gone: true, chunks: [] };
    const chunks = seqs ? [...seqs].flatMap((seq) => entry.chunks.get(seq) ?? []) : [...entry.chunks.values()];
    return { id, gone: false, head: headOf(entry), chunks };
  }

  #touch(id: string, seq?: number): void {
    const seqs = this.#dirty.get(id) ?? new Set();
    this.#dirty.set(id, seqs);
    if (seq !== undefined) seqs.add(seq);
    this.#onDirty();
  }
}

function isProven(state: ChunkState): boolean {
  return state === 'acked' || isSafe(state);
}

function marksOf(head: RecordingHead): Pick<Entry, 'live' | 'paused' | 'waiting' | 'durationMs' | 'end'> {
  const { live, paused, waiting } = head;
  return { live, paused, waiting, durationMs: head.durationMs, end: head.end };
}

function headOf(entry: Entry): RecordingHead {
  return {
    facts: entry.facts,
    live: entry.live,
    paused: entry.paused,
    waiting: entry.waiting,
    durationMs: entry.durationMs,
    end: entry.end,
    complete: entry.complete,
    stuck: entry.stuck,
    recovered: entry.recovered,
    problem: entry.problem,
    unwritten: entry.unwritten,
    file: entry.file,
    ...totalsOf(entry.chunks.values()),
  };
}
