import type { HeldChunk } from './bucket-view';

/** A chunk that can be fetched. */
export interface Playable extends HeldChunk {
  get: { url: string; expires_at: string };
}

/** Chunks that cannot be played, between some that can: what is named and leapt over. */
export interface Gap {
  first: number;
  last: number;
  /** `waiting`: may still come. `lost`: not known to be anywhere. */
  cause: 'waiting' | 'lost';
}

/** The chunks that the bucket holds, in order. */
export function playableOf(chunks: readonly HeldChunk[]): Playable[] {
  return chunks.filter((chunk): chunk is Playable => chunk.get !== null);
}

/** Where something is missing before the last playable chunk. */
export function gapsIn(chunks: readonly HeldChunk[]): Gap[] {
  const lost = lostIn(chunks);
  const gaps: Gap[] = [];
  let expected = 0;
  for (const { seq } of playableOf(chunks)) {
    if (seq > expected) gaps.push({ first: expected, last: seq - 1, cause: causeOf(lost, expected, seq) });
    expected = seq + 1;
  }
  return gaps;
}

/** Recorded time in which no device gave anything, before a new part. In ms. */
export interface Silence {
  fromMs: number;
  toMs: number;
}

/** Shorter ones are what changing a device takes. */
export const SILENCE_MS = 1_000;

/** Where a part begins later than the one before it ended. */
export function silencesIn(chunks: readonly HeldChunk[]): Silence[] {
  const silences: Silence[] = [];
  for (const [index, chunk] of chunks.entries()) {
    const before = chunks[index - 1];
    if (!before || before.seq + 1 !== chunk.seq || before.segment === chunk.segment) continue;
    if (before.start_ms === null || before.duration_ms === null || chunk.start_ms === null) continue;
    const fromMs = before.start_ms + before.duration_ms;
    if (chunk.start_ms - fromMs >= SILENCE_MS) silences.push({ fromMs, toMs: chunk.start_ms });
  }
  return silences;
}

/** The next chunk to append after `seq`; gaps are leapt over. */
export function nextAfter(playable: readonly Playable[], seq: number): Playable | null {
  return playable.find((chunk) => chunk.seq > seq) ?? null;
}

/** Segments whose first chunk is not there: nothing of them can be played, for it carries the header. */
export function headlessSegments(chunks: readonly HeldChunk[]): Set<number> {
  const headless = new Set<number>();
  let previous: HeldChunk | undefined;
  for (const chunk of chunks) {
    const opens = chunk.segment !== previous?.segment;
    // A hole before the first known chunk of a segment may have held its header.
    const hole = opens && chunk.seq !== (previous ? previous.seq + 1 : 0);
    if (opens && (hole || chunk.get === null)) headless.add(chunk.segment);
    previous = chunk;
  }
  return headless;
}

function lostIn(chunks: readonly HeldChunk[]): Set<number> {
  return new Set(chunks.filter(({ state }) => state === 'lost').map(({ seq }) => seq));
}

function causeOf(lost: ReadonlySet<number>, from: number, to: number): Gap['cause'] {
  for (let seq = from; seq < to; seq += 1) if (!lost.has(seq)) return 'waiting';
  return 'lost';
}
