import type { ChunkView, RecordingView } from '../recorder/types';
import { counted } from './format';

/** What this device still keeps for the bucket's sake. Both are kept until confirmed: `proving` is no promise yet. */
export interface Held {
  /** Chunks that nobody else is known to have. */
  onlyHere: number;
  /** Chunks proven in the bucket once, and to be seen there again before this device lets go. */
  proving: number;
}

/** Of these recordings together. */
export function heldOf(views: readonly RecordingView[]): Held {
  return views.reduce(
    (sum, view) => {
      const proving = view.chunks.filter(isProving).length;
      return { onlyHere: sum.onlyHere + view.chunksOnlyHere - proving, proving: sum.proving + proving };
    },
    { onlyHere: 0, proving: 0 },
  );
}

/** `3 chunks only on this device`, `2 chunks in the bucket, being confirmed`, or both. */
export function heldWords({ onlyHere, proving }: Held): string {
  if (proving === 0) return `${counted(onlyHere, 'chunk')} only on this device`;
  if (onlyHere === 0) return `${counted(proving, 'chunk')} in the bucket, being confirmed`;
  return `${counted(onlyHere, 'chunk')} only on this device, ${proving} being confirmed`;
}

function isProving({ state }: ChunkView): boolean {
  return state === 'acked';
}
