import type { FileProgress, RecordingView, Snapshot } from '../recorder/types';
import type { StoredStatus } from './bucket-view';
import { isUploading, progressWords, stateWords } from './files/file-words';
import { counted, whole } from './format';
import type { RowState } from './library-rows';
import { stateOfStored, stateOfView } from './library-rows';
import { promiseOf, promiseSentence } from './promise';

/** The recording's state in words, from whoever knows it best. */
export function stateOf(status: StoredStatus | null, view: RecordingView | undefined): RowState | null {
  if (!status) return view ? stateOfView(view) : null;
  return stateOfStored(
    {
      ...status,
      confirmed_chunks: lengthOf(status.confirmed),
      missing_chunks: lengthOf(status.missing),
      lost_chunks: lengthOf(status.lost),
    },
    view,
  );
}

/** What is safe of it, in one sentence. */
export function summaryOf(status: StoredStatus | null, view: RecordingView | undefined, snapshot: Snapshot): string {
  if (view && isUploading(view) && view.file) return fileSentence(view.file);
  if (view && !view.file && (view.state !== 'complete' || view.chunksOnlyHere > 0))
    return promiseSentence(promiseOf(view, snapshot));
  if (!status) return '';
  const total = Math.max(status.chunk_count ?? 0, status.received_chunks);
  const confirmed = lengthOf(status.confirmed);
  if (lengthOf(status.lost) > 0)
    return `${counted(lengthOf(status.lost), 'chunk')} of ${total} ${lengthOf(status.lost) === 1 ? 'is' : 'are'} lost; ${confirmed + lengthOf(status.lost) >= total ? 'the others are safe in your bucket' : `${whole(confirmed)} ${confirmed === 1 ? 'is' : 'are'} confirmed in your bucket`}.`;
  if (status.complete && confirmed === total)
    return `Safe: ${total === 1 ? 'the one chunk is' : `all ${counted(total, 'chunk')} are`} in your bucket.`;
  return `${counted(confirmed, 'chunk')} of ${total}${status.complete ? '' : ' so far'} ${confirmed === 1 ? 'is' : 'are'} confirmed in your bucket.`;
}

function fileSentence(file: FileProgress): string {
  return `${stateWords(file).words}: ${progressWords(file)}.`;
}

/** What to know of it that is no fault: it waits for its recorder. Empty where there is nothing. */
export function pauseOf(status: StoredStatus | null): string {
  if (status?.state !== 'expired') return '';
  return 'Paused for more than 24 hours: it comes back by itself when its recorder does. What is in your bucket stays there.';
}

/** How many numbers inclusive ranges cover. */
export function lengthOf(ranges: StoredStatus['lost']): number {
  return ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
}
