import { EMPTY_SNAPSHOT } from '../../src/recorder/mirror';
import type { ChunkState, ChunkView, RecordingView, Snapshot } from '../../src/recorder/types';

/** A chunk of 5 s and 1 MB. */
export function chunk(seq: number, state: ChunkState, part: Partial<ChunkView> = {}): ChunkView {
  return {
    seq,
    segment: 0,
    state,
    size: 1_000_000,
    sha256: 'a'.repeat(64),
    startMs: seq * 5_000,
    durationMs: 5_000,
    times: {},
    resent: 0,
    ...part,
  };
}

/** A recording of these chunks, of which `safe` are confirmed. */
export function view(chunks: readonly ChunkView[], safe: number, part: Partial<RecordingView> = {}): RecordingView {
  return {
    id: '0193f0a0-0000-7000-8000-000000000001',
    title: 'Room 4',
    mimeType: 'video/webm;codecs=vp8,opus',
    state: 'recording',
    startedAt: 1_700_000_000_000,
    durationMs: chunks.length * 5_000,
    bytes: chunks.length * 1_000_000,
    chunks,
    safeMs: safe * 5_000,
    chunksOnlyHere: chunks.length - safe,
    bytesOnlyHere: (chunks.length - safe) * 1_000_000,
    recovered: false,
    ...part,
  };
}

export function snapshotOf(recordings: readonly RecordingView[], part: Partial<Snapshot> = {}): Snapshot {
  return {
    ...EMPTY_SNAPSHOT,
    ready: true,
    owner: 'someone',
    connection: 'online',
    retryAt: null,
    storage: { persisted: true, usage: 10e9, quota: 40e9 },
    recordings,
    chunksOnlyHere: recordings.reduce((sum, { chunksOnlyHere }) => sum + chunksOnlyHere, 0),
    bytesOnlyHere: recordings.reduce((sum, { bytesOnlyHere }) => sum + bytesOnlyHere, 0),
    foreignChunks: 0,
    uploadingNow: 0,
    uploadRate: null,
    flush: { count: 0, p50Ms: 0, worstMs: 0 },
    overQuota: null,
    ...part,
  };
}
