import type { ChunkView } from '../recorder/types';
import { CELL_STATES, type CellState } from './chunk-words';
import { SILENCE_MS } from './playback-plan';

/** What the tape needs of a chunk; `ChunkView` fits it, and so does what the server lists. */
export interface TapeChunk extends Omit<ChunkView, 'state'> {
  state: CellState;
  /** Object key, where known. */
  key?: string;
}

/** One cell of the tape: a chunk, or a run of older ones. */
export interface TapeCell {
  first: number;
  last: number;
  chunks: readonly TapeChunk[];
  /** The state that needs attention first among its chunks. */
  state: CellState;
  /** True where a new run of the recorder begins in this cell, other than at the start. */
  startsSegment: boolean;
  /** Before that part, for how long no device gave anything; 0 where it followed at once. */
  silenceMs: number;
}

export interface TapeLayout {
  /** Older chunks, `perCell` to a cell; empty while all fit singly. */
  older: readonly TapeCell[];
  perCell: number;
  /** The latest chunks, one to a cell. */
  latest: readonly TapeCell[];
}

/** As many cells are still told apart at a glance, and cost nothing to draw. */
const SINGLE_CELLS = 120;
/** Of a long recording, so many of the latest stay single: about the last four minutes at 5 s a chunk. */
const LATEST_CELLS = 48;
/** The rest is drawn in at most so many cells. */
const OLDER_CELLS = 72;
/** At 5 s a chunk these are 10 s, 30 s, 1, 2, 5, 10, 30 minutes, 1, 2, 6, 12 and 24 hours. */
const GROUP_SIZES = [2, 6, 12, 24, 60, 120, 360, 720, 1440, 4320, 8640, 17280];

/** Lays out chunks (in order of `seq`) so that any number of them stays legible: the cells never exceed about 120. */
export function layTape(chunks: readonly TapeChunk[]): TapeLayout {
  if (chunks.length <= SINGLE_CELLS) return { older: [], perCell: 1, latest: singles(chunks, 0) };
  const older = chunks.length - LATEST_CELLS;
  const perCell = GROUP_SIZES.find((size) => older / size <= OLDER_CELLS) ?? Math.ceil(older / OLDER_CELLS);
  const cells: TapeCell[] = [];
  for (let at = 0; at < older; at += perCell) cells.push(cellOf(chunks, at, Math.min(at + perCell, older)));
  return { older: cells, perCell, latest: singles(chunks, older) };
}

/** One cell a chunk, whatever their number; for a run small enough to show whole. */
export function singles(chunks: readonly TapeChunk[], from = 0): TapeCell[] {
  return chunks.slice(from).map((_, index) => cellOf(chunks, from + index, from + index + 1));
}

/** How many of these chunks are in each state. */
export function stateCounts(chunks: readonly TapeChunk[]): Partial<Record<CellState, number>> {
  const counts: Partial<Record<CellState, number>> = {};
  for (const { state } of chunks) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}

function cellOf(chunks: readonly TapeChunk[], from: number, to: number): TapeCell {
  const run = chunks.slice(from, to);
  const previous = chunks[from - 1];
  let segment = previous?.segment ?? run[0]?.segment;
  let startsSegment = false;
  let silenceMs = 0;
  let before = previous;
  let rank = CELL_STATES.length - 1;
  for (const chunk of run) {
    if (chunk.segment !== segment) {
      startsSegment = true;
      silenceMs += before ? silenceBetween(before, chunk) : 0;
    }
    segment = chunk.segment;
    before = chunk;
    rank = Math.min(rank, CELL_STATES.indexOf(chunk.state));
  }
  return {
    first: run[0]?.seq ?? 0,
    last: run.at(-1)?.seq ?? 0,
    chunks: run,
    state: CELL_STATES[rank] ?? 'released',
    startsSegment,
    silenceMs,
  };
}

/** Shorter ones are what changing a device takes. Files and what was taken up from the bucket alone have no times. */
function silenceBetween(before: TapeChunk, next: TapeChunk): number {
  const silence = next.startMs - before.startMs - before.durationMs;
  return before.seq + 1 === next.seq && before.durationMs > 0 && silence >= SILENCE_MS ? silence : 0;
}

/** A group taken apart: singly where they fit, else in smaller groups. */
export function splitRun(chunks: readonly TapeChunk[]): readonly TapeCell[] {
  if (chunks.length <= OLDER_CELLS) return singles(chunks);
  const perCell = GROUP_SIZES.find((size) => chunks.length / size <= OLDER_CELLS) ?? chunks.length;
  const cells: TapeCell[] = [];
  for (let at = 0; at < chunks.length; at += perCell)
    cells.push(cellOf(chunks, at, Math.min(at + perCell, chunks.length)));
  return cells;
}
