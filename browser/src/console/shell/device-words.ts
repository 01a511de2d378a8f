import { bytesHeld } from '../../recorder/inventory';
import type { Snapshot } from '../../recorder/types';
import { bytes } from '../format';

/** The browser was asked to keep what is here and said no. */
export const REFUSED =
  'The browser said no. Where it asks you, choose “Allow”; Chrome and Edge decide by themselves: a bookmark of this page or using it often helps. Until then, stay online until all is sent.';

/** What is said of what this device keeps. */
export interface DeviceWords {
  kept: string;
  /** The share of the room that it takes, 0 to 1. */
  share: number;
  /** What the browser may do to it; empty where nothing is kept, or nothing has to be said. */
  warning: string;
}

/** Counts what the recorder knows it keeps: the browser's own estimate is of more than that, and not always true. */
export function deviceWords({ ready, recordings, storage, foreignChunks, kept }: Snapshot): DeviceWords {
  const held = recordings.reduce((sum, { chunks }) => sum + bytesHeld(chunks), 0);
  const { quota, persisted } = storage;
  if (!ready && held === 0) return { kept: 'Not known yet what this device keeps', share: 0, warning: '' };
  const spare = kept.bytes > 0 ? ` · ${bytes(kept.bytes)} of spare copies, given up when room is needed` : '';
  const share = quota ? Math.min(1, (held + kept.bytes) / quota) : 0;
  if (held === 0 && foreignChunks === 0) {
    const nothing = kept.bytes > 0 ? 'nothing that is not safe in your bucket' : 'nothing';
    return {
      kept: `This device keeps ${nothing}${quota && !spare ? `, with room for ${bytes(quota)}` : ''}${spare}`,
      share,
      warning: '',
    };
  }
  const room = quota && held > 0 ? ` of ${bytes(quota)}` : '';
  const pressure = persisted === null ? '' : persisted ? ' · kept on pressure' : ' · not protected';
  return {
    kept: `This device keeps ${held > 0 ? bytes(held) : 'nothing of yours'}${room}${pressure}${spare}`,
    share,
    warning:
      persisted === false
        ? 'The browser may clear it if this device runs out of space: stay online until all is sent.'
        : '',
  };
}
