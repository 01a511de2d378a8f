import type { FileProgress, RecordingView } from '../../recorder/types';
import { bytes, moment, rate, span } from '../format';

/** Whether a view is of an upload that is not over. */
export function isUploading({ file }: Pick<RecordingView, 'file'>): boolean {
  return file !== undefined && file.state !== 'complete';
}

/** The share that the bucket has, 0 to 1. */
export function shareOf({ sentBytes, totalBytes }: FileProgress): number {
  return totalBytes === 0 ? 0 : Math.min(1, sentBytes / totalBytes);
}

/** How it goes, in a line: `42 MB of 60 MB · 19 Mbit/s · 8 seconds left`. */
export function progressWords(file: FileProgress): string {
  const words = [`${bytes(file.sentBytes)} of ${bytes(file.totalBytes)}`];
  if (file.bytesPerSecond !== null) words.push(rate(file.bytesPerSecond));
  if (file.timeLeftMs !== null) words.push(`${span(file.timeLeftMs)} left`);
  return words.join(' · ');
}

/** Its state in a word or two. */
export function stateWords({ state }: FileProgress): { tone: 'safe' | 'hold' | 'alert' | 'plain'; words: string } {
  switch (state) {
    case 'complete':
      return { tone: 'safe', words: 'Uploaded' };
    case 'checking':
      return { tone: 'hold', words: 'Comparing' };
    case 'source_needed':
      return { tone: 'alert', words: 'File needed' };
    case 'stuck':
      return { tone: 'alert', words: 'Needs attention' };
    case 'paused':
      return { tone: 'plain', words: 'Paused' };
    case 'sending':
      return { tone: 'hold', words: 'Uploading' };
  }
}

/** Which file to choose again, and why; empty while none is needed. `code` is that of the upload's problem. */
export function neededWords(file: FileProgress, now: number, code?: string): string {
  const { state, name, totalBytes, lastModified, reopenable } = file;
  if (state !== 'source_needed') return '';
  const which = `“${name}” (${bytes(totalBytes)}, changed ${moment(lastModified, now)})`;
  if (code === 'source_changed')
    return `Nothing new was mixed with what was sent. Choose ${which} as it was, or cancel this upload and upload the new one.`;
  return reopenable
    ? `The browser has to be asked before it reads ${which} again. What was sent is kept.`
    : `To go on, choose ${which} once more. It is compared with what was sent of it; what was sent is kept.`;
}
