/** What failures mean: for a call's recording, for a chunk, for the control plane as a whole. Decisions only. */
import { CallFailed } from './control-plane';

/** What a failed call means for its recording. */
export type Consequence = 'retry' | 'restart' | 'refresh' | 'deleted' | 'stuck';

/** Refusals of one chunk that the same request can never get past. */
const CHUNK_REFUSED_FOR_GOOD = new Set([
  'chunk_conflict',
  'recording_complete',
  'chunk_too_large',
  'size_not_allowed',
  'seq_not_allowed',
  'segment_not_allowed',
]);

/**
 * Refusals that say: another device speaks for this recording. Its numbers are bound to other bytes, or it was completed
 * without this chunk, as happens to the twins of a cloned profile.
 */
const OF_A_TWIN = new Set(['chunk_conflict', 'recording_complete']);

export function isOfATwin(code: string): boolean {
  return OF_A_TWIN.has(code);
}

/** What to do about a failed call: repetition is the rule, since a recorder never gives up by itself. */
export function consequenceOf(failure: CallFailed): Consequence {
  const { status, problem } = failure;
  if (problem.code === 'recording_unknown') return 'restart';
  // Only the control plane's own word deletes: a 410 of something in between is one more failure.
  if (problem.code === 'recording_deleted' && status === 410) return 'deleted';
  if (problem.code === 'chunks_missing') return 'refresh';
  if (status === 409 || status === 400 || status === 413 || status === 415 || status === 422) return 'stuck';
  return 'retry';
}

export function isRefusedForGood(code: string): boolean {
  return CHUNK_REFUSED_FOR_GOOD.has(code);
}

/** No answer, 429 and 5xx speak for the control plane as a whole; everything else for one recording alone. */
export function isOfTheWhole(error: unknown): boolean {
  return error instanceof CallFailed && (error.status === 0 || error.status === 429 || error.status >= 500);
}
