import type { Problem, Snapshot } from '../../recorder/types';
import { bytes, roughly } from '../format';
import { isRoomLow, recordedRate, roomMs } from '../line-pace';

export interface RoomWords {
  heading: string;
  rest: string;
  code?: string;
  /** The recording to be saved to a file, where that helps. */
  save: string | null;
}

/** What to say of the room on this device; null where there is enough. `current` is the recording made in this tab. */
export function roomWords(snapshot: Snapshot, current: string | null): RoomWords | null {
  for (const { id, unwritten } of snapshot.recordings) if (unwritten) return unwrittenWords(id, unwritten);
  const view = snapshot.recordings.find(({ id }) => id === current);
  const recorded = recordedRate(view);
  if (!snapshot.room.low && !isRoomLow(snapshot, recorded)) return null;
  const { usage, quota } = snapshot.storage;
  const left = bytes(Math.max(0, (quota ?? 0) - (usage ?? 0)));
  const ms = roomMs(snapshot, recorded);
  const lasts = ms === null ? '' : `, about ${roughly(ms)} at the present rate if nothing is sent`;
  return {
    heading: 'This device is nearly full',
    rest: `Nothing is lost: ${left} left for recordings${lasts}. Space comes free by itself as chunks are confirmed in your bucket. Stay online, or free space on this device.`,
    save: view && view.bytes > 0 ? view.id : null,
  };
}

/** Something of it waits in memory, since the disk does not take it. */
function unwrittenWords(id: string, { code }: Problem): RoomWords {
  const full = code === 'storage_full';
  return {
    heading: full ? 'This device is full' : 'The disk does not take what is recorded',
    rest: `What was written until now is safe. What is recorded now waits in memory, is written as soon as ${full ? 'there is room' : 'the disk takes it'}, and would be lost if this page closed: keep it open. ${full ? 'Free space on this device, stay online so that chunks can be released, or save the recording to a file.' : 'Save the recording to a file to be sure of it.'}`,
    code,
    save: id,
  };
}
