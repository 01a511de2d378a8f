import type { ChunkState, RecordingDeleted, RecordingView } from '../../recorder/types';
import type { StoredRecording } from '../bucket-view';
import { bytes, clock, counted } from '../format';
import { titleOf } from '../library-rows';

/** What is known of a recording that is to be deleted. */
export interface Doomed {
  id: string;
  title: string;
  /** In the bucket, as far as the page knows; null where the bucket has nothing of it, or was not asked. */
  stored: Pick<StoredRecording, 'received_chunks' | 'received_bytes'> | null;
  view: RecordingView | undefined;
  /** This very tab records it. */
  recordedHere: boolean;
}

const IN_BUCKET = new Set<ChunkState>(['acked', 'confirmed', 'released']);

/** What goes with it, each with where it goes from. */
export function whatGoes({ stored, view }: Doomed): { where: string; what: string }[] {
  const goes: { where: string; what: string }[] = [];
  const proven = view?.chunks.filter(({ state }) => IN_BUCKET.has(state)) ?? [];
  const count = Math.max(stored?.received_chunks ?? 0, proven.length);
  const size = Math.max(
    stored?.received_bytes ?? 0,
    proven.reduce((sum, chunk) => sum + chunk.size, 0),
  );
  if (count > 0)
    goes.push({
      where: 'In your bucket',
      what: `${counted(count, 'chunk')}, ${bytes(size)}: every version, and all files made of them`,
    });
  const held = view?.chunks.filter(({ state }) => state !== 'released').length ?? 0;
  const only = view?.chunksOnlyHere ?? 0;
  if (held > 0)
    goes.push({
      where: 'On this device',
      what:
        only > 0
          ? `${counted(held, 'chunk')}, ${only === held ? '' : `${only} of them `}perhaps nowhere else yet`
          : counted(held, 'chunk'),
    });
  goes.push({ where: 'On other devices', what: 'whatever they hold of it, when they are next online' });
  return goes;
}

/** What becomes of its capture; empty where nothing captures it. */
export function captureWords({ view, recordedHere }: Doomed): string {
  if (recordedHere)
    return 'It is being recorded now. Recording stops at once; an undo keeps what was recorded and does not go on recording.';
  if (view?.state === 'recording' || view?.state === 'paused' || view?.state === 'waiting')
    return 'It is being recorded in another tab: recording stops there.';
  return '';
}

/** What is said of a recording that somebody deleted elsewhere, to whoever sits before this device. */
export function deletedWords({ title, durationMs, wasRecording }: RecordingDeleted): { heading: string; rest: string } {
  const named = `“${titleOf({ title })}”`;
  if (!wasRecording)
    return {
      heading: 'A recording was deleted elsewhere',
      rest: `${named} was deleted from your bucket, so what this device held of it was removed too.`,
    };
  return {
    heading: `This recording was deleted elsewhere. Recording stopped at ${clock(durationMs)}.`,
    rest: `${named} is gone from your bucket and from this device.`,
  };
}
