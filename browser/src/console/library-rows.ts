import type { RecordingView } from '../recorder/types';
import type { StoredRecording } from './bucket-view';
import type { Wish } from './deleting/deletions';
import { stateWords } from './files/file-words';
import { counted, whole } from './format';
import { heldOf, heldWords } from './held-words';
import { isAllSafe } from './promise';

/** A recording's state in words, with the colour and the dot that go with them. */
export interface RowState {
  tone: 'safe' | 'hold' | 'alert' | 'plain';
  words: string;
  recording: boolean;
}

/** A recording as the library lists it, from what the bucket holds and what this device holds. */
export interface LibraryRow {
  id: string;
  title: string;
  startedAt: number;
  /** Recorded time; null where nobody has said it. */
  lengthMs: number | null;
  bytes: number;
  /** Shares of the bytes, 0 to 1. */
  safe: number;
  lost: number;
  state: RowState;
  /** The server has agreed to its deletion. */
  deleting: boolean;
  wish: Wish | undefined;
  /** What it was made from. */
  stored: StoredRecording | null;
  view: RecordingView | undefined;
}

/** The title, or what stands for it. */
export function titleOf({ title }: { title: string | null }): string {
  return title?.trim() || 'Untitled recording';
}

/** A deletion on its way, as this page knows it; null where there is none to speak of. */
export function stateOfWish(wish: Wish | undefined): RowState | null {
  if (!wish) return null;
  if (wish.phase === 'failed') return alert('Not deleted');
  return plain(wish.phase === 'undoable' ? 'About to be deleted' : 'Deleting…');
}

/** True once its deletion cannot be taken back: nothing of it may be called safe any more. */
export function isGoing({ deleting, wish }: Pick<LibraryRow, 'deleting' | 'wish'>): boolean {
  return deleting || wish?.phase === 'sending' || wish?.phase === 'agreed';
}

/** A deletion that the bucket does not take is tried again for ever, and said with how often it failed. */
function deletingState(failures: number): RowState {
  if (failures === 0) return plain('Deleting…');
  return alert(`Deleting… ${tries(failures)} failed`);
}

/** `1 try`, `12 tries`. */
export function tries(count: number): string {
  return count === 1 ? '1 try' : `${whole(count)} tries`;
}

/** Both lists as one, newest first; where both know a recording, this device speaks for what is not in the bucket yet. */
export function mergeRows(
  stored: readonly StoredRecording[],
  views: readonly RecordingView[],
  wishes: readonly Wish[] = [],
): LibraryRow[] {
  const local = new Map(views.map((view) => [view.id, view]));
  const rows = stored.map((one) => storedRow(one, local.get(one.id)));
  const known = new Set(stored.map(({ id }) => id));
  for (const view of views) if (!known.has(view.id)) rows.push(localRow(view));
  for (const row of rows) {
    row.wish = wishes.find(({ id }) => id === row.id);
    // Once the bucket is being cleared, it knows better how that goes.
    if (!row.deleting) row.state = stateOfWish(row.wish) ?? row.state;
  }
  return rows.sort((a, b) => b.startedAt - a.startedAt);
}

/** Whether any length is known: files have none, nor has what was taken up from the bucket alone. */
export function hasLengths(rows: readonly LibraryRow[]): boolean {
  return rows.some(({ lengthMs }) => lengthMs !== null);
}

/** The state of a recording that the bucket has, and this device perhaps too. */
export function stateOfStored(one: StoredRecording, view?: RecordingView): RowState {
  if (one.state === 'deleted') return plain('Deleted');
  if (one.state === 'deleting') return deletingState(one.deletion?.failures ?? 0);
  if (one.lost_chunks > 0) {
    const more = one.missing_chunks > 0 ? `, ${whole(one.missing_chunks)} to be sent again` : '';
    return alert(`${counted(one.lost_chunks, 'chunk')} lost${more}`);
  }
  if (view && (view.chunksOnlyHere > 0 || isUnderWay(view))) return stateOfView(view);
  if (one.missing_chunks > 0) return alert(`${counted(one.missing_chunks, 'chunk')} to be sent again`);
  const unconfirmed = one.received_chunks - one.confirmed_chunks;
  if (one.state === 'complete') {
    return unconfirmed > 0
      ? hold(`${counted(unconfirmed, 'chunk')} still to be confirmed`)
      : { tone: 'safe', words: 'Safe', recording: false };
  }
  if (one.state === 'expired') return hold('Paused for more than 24 hours');
  return hold(view ? 'Being closed' : 'Open on another device');
}

/** The state of a recording as this device has it. */
export function stateOfView(view: RecordingView): RowState {
  if (view.file && view.file.state !== 'complete') return { ...stateWords(view.file), recording: false };
  if (view.state === 'stuck') return alert('Needs attention');
  if (view.state === 'recording') return { tone: 'alert', words: 'Recording', recording: true };
  if (view.state === 'paused') return alert('Paused');
  if (view.state === 'waiting') return alert('Waiting for a device');
  if (isAllSafe(view)) return { tone: 'safe', words: 'Safe', recording: false };
  return hold(heldWords(heldOf([view])));
}

function storedRow(one: StoredRecording, view: RecordingView | undefined): LibraryRow {
  const bytes = Math.max(one.total_bytes ?? 0, one.received_bytes, view?.bytes ?? 0);
  const chunks = Math.max(1, one.chunk_count ?? 0, one.received_chunks + one.missing_chunks + one.lost_chunks);
  return {
    id: one.id,
    title: titleOf(one.title ? one : (view ?? one)),
    startedAt: view?.startedAt ?? Date.parse(one.created_at),
    // This device may have recorded more than the control plane was told of.
    lengthMs: longest(lengthOf(view), one.duration_ms),
    bytes,
    safe: bytes === 0 ? 0 : Math.min(1, one.confirmed_bytes / bytes),
    lost: one.lost_chunks / chunks,
    state: stateOfStored(one, view),
    deleting: one.state === 'deleting' || one.state === 'deleted',
    wish: undefined,
    stored: one,
    view,
  };
}

function localRow(view: RecordingView): LibraryRow {
  return {
    id: view.id,
    title: titleOf(view),
    startedAt: view.startedAt,
    lengthMs: lengthOf(view),
    bytes: view.file?.totalBytes ?? view.bytes,
    safe: view.bytes === 0 ? 0 : (view.bytes - view.bytesOnlyHere) / view.bytes,
    lost: 0,
    state: stateOfView(view),
    deleting: false,
    wish: undefined,
    stored: null,
    view,
  };
}

/** Of a file nobody knows it without playing it. */
function lengthOf(view: RecordingView | undefined): number | null {
  return view && !view.file ? view.durationMs : null;
}

function isUnderWay({ state, file }: RecordingView): boolean {
  return (
    (file !== undefined && file.state !== 'complete') ||
    state === 'recording' ||
    state === 'paused' ||
    state === 'waiting' ||
    state === 'stuck'
  );
}

function hold(words: string): RowState {
  return { tone: 'hold', words, recording: false };
}

function alert(words: string): RowState {
  return { tone: 'alert', words, recording: false };
}

function plain(words: string): RowState {
  return { tone: 'plain', words, recording: false };
}

/** The longer of two lengths in milliseconds; null where neither is known, as of a file. */
export function longest(one: number | null, other: number | null): number | null {
  const known = Math.max(one ?? 0, other ?? 0);
  return known > 0 ? known : null;
}
