import type { ChunkView } from '../recorder/types';
import type { StoredChunk } from './bucket-view';
import type { CellState } from './chunk-words';
import type { TapeChunk } from './tape-cells';

const STATES: Record<StoredChunk['state'], CellState> = {
  granted: 'absent',
  acked: 'acked',
  confirmed: 'confirmed',
  missing: 'missing',
  lost: 'lost',
};

/**
 * The tape of a recording from what the bucket has and what this device has. This device knows more of the chunks it holds
 * or held; numbers that neither knows stand as `absent`, so that a gap is seen.
 */
export function storedTape(
  stored: readonly StoredChunk[],
  local: readonly ChunkView[],
  expected: number | null,
): TapeChunk[] {
  const bySeq = new Map<number, TapeChunk>();
  for (const chunk of stored) bySeq.set(chunk.seq, fromStored(chunk));
  for (const chunk of local) bySeq.set(chunk.seq, { ...chunk, key: bySeq.get(chunk.seq)?.key });
  let count = expected ?? 0;
  for (const seq of bySeq.keys()) count = Math.max(count, seq + 1);
  const tape: TapeChunk[] = [];
  for (let seq = 0; seq < count; seq += 1) tape.push(bySeq.get(seq) ?? absent(seq, tape.at(-1)?.segment ?? 0));
  return tape;
}

function fromStored(chunk: StoredChunk): TapeChunk {
  const { seq, segment, size, sha256, state, key, acked_at, confirmed_at, start_ms, duration_ms } = chunk;
  const times = {
    ...(acked_at ? { acked: Date.parse(acked_at) } : {}),
    ...(confirmed_at ? { confirmed: Date.parse(confirmed_at) } : {}),
  };
  return { seq, segment, size, sha256, key, state: STATES[state], times, ...whenOf(start_ms, duration_ms), resent: 0 };
}

/** A length of nought: nobody has said when it was recorded. */
function whenOf(startMs: number | null, durationMs: number | null): Pick<TapeChunk, 'startMs' | 'durationMs'> {
  return startMs === null || durationMs === null ? { startMs: 0, durationMs: 0 } : { startMs, durationMs };
}

function absent(seq: number, segment: number): TapeChunk {
  return { seq, segment, state: 'absent', size: 0, sha256: '', times: {}, startMs: 0, durationMs: 0, resent: 0 };
}
