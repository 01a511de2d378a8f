import { EMPTY_SNAPSHOT } from '../../../src/recorder/mirror';
import type { ChunkState, ChunkView, RecordingView, Snapshot } from '../../../src/recorder/types';

/** Chunks of 5 s; `tail` gives the states of the last ones, all before them are released. */
export function chunks(count: number, tail: readonly ChunkState[], startedAt: number): ChunkView[] {
  return Array.from({ length: count }, (_, seq) => {
    const state = tail[seq - (count - tail.length)] ?? 'released';
    const at = startedAt + (seq + 1) * 5_000;
    const way: ChunkState[] = ['writing', 'on_disk', 'uploading', 'in_bucket', 'acked', 'confirmed', 'released'];
    const reached = way.slice(0, Math.max(1, way.indexOf(state === 'resending' ? 'acked' : state) + 1));
    return {
      seq,
      segment: seq > count * 0.6 && count > 100 ? 1 : 0,
      state,
      size: 1_500_000 + ((seq * 7919) % 200_000),
      sha256: state === 'writing' ? '' : (seq * 2654435761).toString(16).padStart(16, '0').repeat(4).slice(0, 64),
      startMs: seq * 5_000,
      durationMs: state === 'writing' ? 2_100 : 5_000,
      times: Object.fromEntries(reached.map((one, index) => [one, at + index * 900])),
      resent: state === 'resending' ? 1 : 0,
    };
  });
}

export const USUAL_TAIL: readonly ChunkState[] = [
  'confirmed',
  'confirmed',
  'confirmed',
  'confirmed',
  'acked',
  'acked',
  'resending',
  'acked',
  'in_bucket',
  'uploading',
  'uploading',
  'on_disk',
  'writing',
];

const UNSAFE = new Set<ChunkState>(['writing', 'on_disk', 'uploading', 'in_bucket', 'acked', 'resending']);

export function recording(id: string, list: readonly ChunkView[], part: Partial<RecordingView> = {}): RecordingView {
  const held = list.filter(({ state }) => UNSAFE.has(state));
  const last = list.at(-1);
  return {
    id: idOf(id),
    title: 'Deposition, room 4',
    mimeType: 'video/webm;codecs=vp8,opus',
    state: 'recording',
    startedAt: Date.now() - (last ? last.startMs + last.durationMs : 0),
    durationMs: last ? last.startMs + last.durationMs : 0,
    bytes: list.reduce((sum, { size }) => sum + size, 0),
    chunks: list,
    safeMs: held[0]?.startMs ?? (last ? last.startMs + last.durationMs : 0),
    chunksOnlyHere: held.length,
    bytesOnlyHere: held.reduce((sum, { size }) => sum + size, 0),
    recovered: false,
    ...part,
  };
}

export function snapshot(recordings: readonly RecordingView[], part: Partial<Snapshot> = {}): Snapshot {
  return {
    ...EMPTY_SNAPSHOT,
    ready: true,
    owner: 'someone',
    connection: 'online',
    retryAt: null,
    storage: { persisted: true, usage: 1_200_000_000, quota: 38_000_000_000 },
    recordings,
    chunksOnlyHere: recordings.reduce((sum, { chunksOnlyHere }) => sum + chunksOnlyHere, 0),
    bytesOnlyHere: recordings.reduce((sum, { bytesOnlyHere }) => sum + bytesOnlyHere, 0),
    foreignChunks: 0,
    uploadingNow: 2,
    uploadRate: 990_000,
    flush: { count: 1400, p50Ms: 1.4, worstMs: 6.1 },
    overQuota: null,
    ...part,
  };
}

export function idOf(tail: string): string {
  return `0193f0a0-0000-7000-8000-${tail.padStart(12, '0')}`;
}
