/** The page's picture of the worker's state: immutable snapshots that share everything that did not change. */

import { worded } from './errors';
import { progressOf } from './file-progress';
import type { RecordingDelta, RecordingHead, Standing } from './spool-protocol';
import type { ChunkView, RecordingState, RecordingView, Snapshot } from './types';

export const EMPTY_SNAPSHOT: Snapshot = {
  ready: false,
  owner: '',
  connection: 'online',
  retryAt: null,
  storage: { persisted: null, usage: null, quota: null },
  room: { bytesLeft: null, msLeft: null, low: false },
  recordings: [],
  chunksOnlyHere: 0,
  bytesOnlyHere: 0,
  foreignChunks: 0,
  uploadingNow: 0,
  uploadRate: null,
  uploadLimit: null,
  flush: { count: 0, p50Ms: 0, worstMs: 0 },
  overQuota: null,
  kept: { chunks: 0, bytes: 0 },
};

/** The next snapshot: recordings that no delta names stay the same objects. */
export function applyChanges(before: Snapshot, deltas: readonly RecordingDelta[], standing: Standing): Snapshot {
  const recordings = deltas.length === 0 ? before.recordings : applyDeltas(before.recordings, deltas);
  // A file that is being uploaded is not only here: whoever uploads it has it.
  const recorded = recordings.filter(({ file }) => !file);
  return {
    ...before,
    ...standing,
    recordings,
    chunksOnlyHere: recorded.reduce((sum, { chunksOnlyHere }) => sum + chunksOnlyHere, 0),
    bytesOnlyHere: recorded.reduce((sum, { bytesOnlyHere }) => sum + bytesOnlyHere, 0),
  };
}

function applyDeltas(before: readonly RecordingView[], deltas: readonly RecordingDelta[]): RecordingView[] {
  const byId = new Map(before.map((view) => [view.id, view]));
  for (const { id, head, chunks } of deltas) {
    if (head) byId.set(id, viewOf(head, mergeChunks(byId.get(id)?.chunks ?? [], chunks)));
    else byId.delete(id);
  }
  return [...byId.values()].sort((a, b) => b.startedAt - a.startedAt || (a.id < b.id ? 1 : -1));
}

/** Chunks are numbered without gaps, so a chunk's place is its number; anything else is put in order. */
export function mergeChunks(before: readonly ChunkView[], changed: readonly ChunkView[]): readonly ChunkView[] {
  if (changed.length === 0) return before;
  const chunks = [...before];
  let ordered = true;
  for (const chunk of [...changed].sort((a, b) => a.seq - b.seq)) {
    const at = chunks[chunk.seq]?.seq === chunk.seq ? chunk.seq : chunks.findIndex(({ seq }) => seq === chunk.seq);
    if (at >= 0) chunks[at] = chunk;
    else {
      ordered &&= (chunks.at(-1)?.seq ?? -1) < chunk.seq;
      chunks.push(chunk);
    }
  }
  return ordered ? chunks : chunks.sort((a, b) => a.seq - b.seq);
}

function viewOf(head: RecordingHead, chunks: readonly ChunkView[]): RecordingView {
  const { facts, durationMs, bytes, safeMs, chunksOnlyHere, bytesOnlyHere, recovered, problem, unwritten } = head;
  const file = progressOf(head);
  return {
    id: facts.id,
    title: facts.title,
    mimeType: facts.mimeType,
    startedAt: facts.startedAt,
    state: stateOf(head),
    durationMs,
    bytes,
    chunks,
    safeMs,
    chunksOnlyHere,
    bytesOnlyHere,
    recovered,
    ...(file ? { file } : {}),
    ...(problem ? { problem: worded(problem) } : {}),
    ...(unwritten ? { unwritten: worded(unwritten) } : {}),
  };
}

function stateOf(head: RecordingHead): RecordingState {
  if (head.stuck) return 'stuck';
  if (head.complete) return 'complete';
  if (!head.live) return 'sending';
  if (head.waiting) return 'waiting';
  return head.paused ? 'paused' : 'recording';
}
