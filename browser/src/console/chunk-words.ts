import type { ChunkState } from '../recorder/types';

/** A chunk's state in the tape: as this device sees it, or (the last three) as only the server can tell. */
export type CellState = ChunkState | 'absent' | 'missing' | 'lost';

/** From what needs attention first to what is over: a group of chunks shows the first that any of them is in. */
export const CELL_STATES: readonly CellState[] = [
  'lost',
  'missing',
  'resending',
  'absent',
  'writing',
  'on_disk',
  'uploading',
  'in_bucket',
  'acked',
  'confirmed',
  'released',
];

/** The state in a few words, as the legend and the facts say it. */
export const STATE_WORDS: Record<CellState, string> = {
  writing: 'being written',
  on_disk: 'on this device',
  uploading: 'being sent',
  in_bucket: 'in the bucket',
  acked: 'acknowledged',
  confirmed: 'confirmed',
  released: 'released here',
  resending: 'sent again',
  absent: 'not arrived yet',
  missing: 'gone from the bucket',
  lost: 'lost',
};

/** When a state was reached, as a label before its time. */
export const TIME_WORDS: Record<ChunkState, string> = {
  writing: 'Begun',
  on_disk: 'On this device',
  uploading: 'Sent',
  in_bucket: 'In the bucket',
  acked: 'Acknowledged',
  confirmed: 'Confirmed',
  released: 'Released here',
  resending: 'Sent again',
};

/** What the state means for whoever made the recording. */
export const STATE_MEANING: Record<CellState, string> = {
  writing: 'Slices are being written to this device.',
  on_disk: 'Sealed on this device, waiting to be sent.',
  uploading: 'On its way to your bucket. This device keeps it.',
  in_bucket: 'The bucket took it. Waiting for proof.',
  acked: 'Proven in the bucket. Waiting to be seen there again.',
  confirmed: 'Safe in your bucket. This device may let go of it.',
  released: 'Safe in your bucket. This device needs it no longer.',
  resending: 'The bucket lost it. This device kept it and is sending it again.',
  absent: 'Not in the bucket yet: the device that recorded it still has to send it.',
  missing: 'The bucket lost it. The device that holds it was asked to send it again.',
  lost: 'Neither the bucket nor any known device has it any more.',
};

/** What a state says in the end: green, amber, red, or nothing yet. */
export function meaningOf(state: CellState): 'safe' | 'hold' | 'alert' {
  if (state === 'confirmed' || state === 'released' || state === 'acked') return 'safe';
  return state === 'resending' || state === 'missing' || state === 'lost' ? 'alert' : 'hold';
}
