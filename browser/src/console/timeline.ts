import type { HeldChunk } from './bucket-view';
import { type Gap, headlessSegments, type Playable, playableOf, SILENCE_MS } from './playback-plan';

/** What of a segment can be played, on the timeline of recorded time. In seconds. */
export interface Part {
  segment: number;
  chunks: readonly Playable[];
  /** Null where neither its recorder nor what is before it tells. */
  startS: number | null;
  endS: number | null;
}

/** A stretch of recorded time with nothing to play. */
export interface Hole {
  fromS: number;
  toS: number;
  /** `silence`: no device was there. The others: chunks that have not arrived, or are lost. */
  cause: 'silence' | Gap['cause'];
  /** The chunks that are not there; none in a silence. */
  missing: readonly [first: number, last: number] | null;
}

/**
 * The parts of a recording, in order. Each lies where its recorder says; one of which that is not known (a file, or what was
 * taken up from the bucket alone) follows the one before it. `lengths`: of segments that were measured, in seconds.
 */
export function partsOf(chunks: readonly HeldChunk[], lengths: ReadonlyMap<number, number> = new Map()): Part[] {
  const headless = headlessSegments(chunks);
  const parts: Part[] = [];
  let beforeS: number | null = 0;
  for (const run of runsOf(playableOf(chunks).filter(({ segment }) => !headless.has(segment)))) {
    const toldMs = run[0]?.start_ms ?? null;
    const startS: number | null = toldMs === null ? beforeS : Math.max(toldMs / 1000, beforeS ?? 0);
    const segment = run[0]?.segment ?? 0;
    const endS: number | null = startS === null ? null : endOf(run, startS, lengths.get(segment));
    parts.push({ segment, chunks: run, startS, endS });
    beforeS = endS;
  }
  return parts;
}

/** Where recorded time has nothing to play, before something that can be; only where chunks tell their times. */
export function holesIn(chunks: readonly HeldChunk[]): Hole[] {
  const headless = headlessSegments(chunks);
  // What the bucket holds of a part without its header cannot be played, but is not what is waited for.
  const settled = new Set(chunks.filter(({ state, get }) => state === 'lost' || get !== null).map(({ seq }) => seq));
  const holes: Hole[] = [];
  let endMs: number | null = 0;
  let expected = 0;
  for (const chunk of playableOf(chunks).filter(({ segment }) => !headless.has(segment))) {
    const { seq, start_ms, duration_ms } = chunk;
    if (start_ms !== null && endMs !== null) {
      const missing = seq > expected ? ([expected, seq - 1] as const) : null;
      if (missing ? start_ms > endMs : start_ms - endMs >= SILENCE_MS)
        holes.push({ fromS: endMs / 1000, toS: start_ms / 1000, cause: causeOf(missing, settled), missing });
    }
    endMs = start_ms === null || duration_ms === null ? null : start_ms + duration_ms;
    expected = seq + 1;
  }
  return holes;
}

/** Recorded times are those of the clock; those of the film are off by up to this. */
const OFF_S = 1;

/** The holes that a leap from one place to another was made over. */
export function holesAcross(holes: readonly Hole[], fromS: number, toS: number): Hole[] {
  const across = holes.filter((hole) => hole.fromS < Math.max(fromS, toS) && Math.min(fromS, toS) < hole.toS);
  return across.length > 0 ? across : holes.filter((hole) => Math.abs(hole.toS - toS) < OFF_S);
}

/** As far before a hole there is still something to see. */
const BEFORE_HOLE_S = 0.5;
/** Browsers round times that are set: who goes to the end of a hole is not in it. */
const ROUNDED_S = 0.01;

/** Where somebody who goes from one place to another comes out: in a hole there is nothing, so before it or after it. */
export function landing(holes: readonly Hole[], toS: number, fromS: number): number {
  const hole = holes.find((one) => one.fromS <= toS && toS < one.toS);
  if (!hole) return toS;
  // Somebody who goes back from behind it would else come back to where they are.
  const isBack = toS < fromS && hole.toS - toS > ROUNDED_S;
  return isBack && hole.fromS > BEFORE_HOLE_S ? hole.fromS - BEFORE_HOLE_S : hole.toS;
}

/** The part at a time: the last that begins at or before it. */
export function partAt(parts: readonly Part[], seconds: number): Part | null {
  return parts.filter(({ startS }) => startS !== null && startS <= seconds).at(-1) ?? parts[0] ?? null;
}

/** How long a recording is: where its last part ends, or as far as bytes let one guess from what was heard until now. In seconds. */
export function lengthOf(parts: readonly Part[], heard: { seq: number; endS: number }): number {
  const last = parts.at(-1);
  if (!last || last.endS !== null) return Math.max(heard.endS, last?.endS ?? 0);
  let seen = 0;
  let ahead = 0;
  for (const { chunks } of parts) {
    for (const { seq, size } of chunks) {
      if (seq <= heard.seq) seen += size;
      else ahead += size;
    }
  }
  return heard.endS * (seen > 0 ? 1 + ahead / seen : 1);
}

type Ranges = Pick<TimeRanges, 'length' | 'start' | 'end'>;

/** How much is buffered after a time, gaps left out. In seconds. */
export function aheadOf(ranges: Ranges, now: number): number {
  let sum = 0;
  for (let index = 0; index < ranges.length; index += 1)
    sum += Math.max(0, ranges.end(index) - Math.max(now, ranges.start(index)));
  return sum;
}

/** Where the next range begins, when no more than `slack` of the one at `now` is left; null where one plays on, or none comes. */
export function placeAfterGap(ranges: Ranges, now: number, slack: number): number | null {
  for (let index = 0; index < ranges.length; index += 1) {
    const start = ranges.start(index);
    if (start > now) return start;
    if (ranges.end(index) - now > slack) return null;
  }
  return null;
}

/**
 * Where to come out on the way back: a little before the end of what is there. Null where nothing is, and where there is something at
 * `now`, or no more than `slack` after it.
 */
export function placeBeforeGap(ranges: Ranges, now: number, slack: number): number | null {
  for (let index = ranges.length - 1; index >= 0; index -= 1) {
    if (ranges.start(index) - slack <= now && now < ranges.end(index)) return null;
    if (ranges.end(index) <= now) return Math.max(ranges.start(index), ranges.end(index) - BEFORE_HOLE_S);
  }
  return null;
}

export function isIn(ranges: Ranges, time: number): boolean {
  for (let index = 0; index < ranges.length; index += 1) {
    if (ranges.start(index) <= time && time < ranges.end(index)) return true;
  }
  return false;
}

function runsOf(chunks: readonly Playable[]): Playable[][] {
  const runs: Playable[][] = [];
  for (const chunk of chunks) {
    const run = runs.at(-1);
    if (run?.[0]?.segment === chunk.segment) run.push(chunk);
    else runs.push([chunk]);
  }
  return runs;
}

function endOf(run: readonly Playable[], startS: number, measured: number | undefined): number | null {
  const last = run.at(-1);
  if (last && last.start_ms !== null && last.duration_ms !== null)
    return Math.max(startS, (last.start_ms + last.duration_ms) / 1000);
  return measured === undefined ? null : startS + measured;
}

function causeOf(missing: Hole['missing'], settled: ReadonlySet<number>): Hole['cause'] {
  if (!missing) return 'silence';
  for (let seq = missing[0]; seq <= missing[1]; seq += 1) if (!settled.has(seq)) return 'waiting';
  return 'lost';
}
