import type { Problem } from '../../recorder/types';
import { bytes, counted, moment, rangeList } from '../format';
import { type RowState, titleOf } from '../library-rows';
import type { Availability, Download } from './download-calls';
import { leftWords, timeLeftMs } from './pace';

type Recordings = Pick<Download, 'recordings'>;

/** What a download is of: the title, or how many recordings. */
export function nameOf({ recordings }: Recordings): string {
  const [first] = recordings;
  return recordings.length === 1 && first ? titleOf(first) : counted(recordings.length, 'recording');
}

/** Its state, with the colour that goes with it. */
export function stateOf({ state, waiting_for: waitingFor }: Pick<Download, 'state' | 'waiting_for'>): RowState {
  switch (state) {
    case 'queued':
      if (waitingFor === 'turn') return plain('Waiting for its turn');
      if (waitingFor === 'chunks') return { tone: 'hold', words: 'Waiting for a chunk', recording: false };
      return waitingFor === 'retry'
        ? { tone: 'hold', words: 'Interrupted, goes on by itself', recording: false }
        : plain('About to begin');
    case 'running':
      return plain('Being made');
    case 'ready':
      return { tone: 'safe', words: 'Ready', recording: false };
    case 'failed':
      return { tone: 'alert', words: 'Failed', recording: false };
    case 'cancelled':
      return plain('Cancelled');
    case 'expired':
      return plain('Expired');
  }
}

/** What there is to know beside its state: how far it is, until when it can be had, why it waits, what became of it. */
export function detailOf(download: Download, pace: number | null, nowMs: number): string {
  const { state, waiting_for: waitingFor, bytes_total: total, problem, expires_at: expires } = download;
  switch (state) {
    case 'running':
      return progressWords(download, pace);
    case 'queued':
      if (waitingFor === 'chunks') return `${sentence(problem?.detail ?? 'A chunk is asked for again.')}`;
      if (waitingFor === 'retry')
        return `${sentence(problem?.detail ?? 'The bucket did not answer.')} Nothing is to be done.`;
      return waitingFor === 'turn'
        ? `${bytes(total)}. Others of yours are made first; it keeps its place.`
        : `${bytes(total)}. The next worker that is free takes it.`;
    case 'ready':
      return [
        download.file ? bytes(download.file.size) : '',
        expires ? `to be had until ${moment(Date.parse(expires), nowMs)}` : '',
      ]
        .filter(Boolean)
        .join(', ');
    case 'failed':
      return failedWords(problem);
    case 'cancelled':
      return 'What was made of it is removed. The recording is untouched.';
    case 'expired':
      return 'Its time is over, and the file is removed. The recording is untouched.';
  }
}

/** `110 MB of 220 MB, 50 %, about 20 seconds left`. */
export function progressWords(download: Download, pace: number | null): string {
  const { bytes_done: done, bytes_total: total, percent } = download;
  const left = done > 0 ? leftWords(timeLeftMs(done, total, pace)) : '';
  return [`${bytes(done)} of ${bytes(total)}`, `${percent} %`, left].filter(Boolean).join(', ');
}

/** Why it failed, and what to do about it. */
export function failedWords(problem: Download['problem']): string {
  switch (problem?.code) {
    case 'chunks_missing':
      return `${sentence(problem.detail)} Open the device that recorded it, so that it can send them, or take what there is.`;
    case 'recording_deleted':
      return `${sentence(problem.detail)} Nothing can be made of that one any more.`;
    case 'storage_unavailable':
      return `${sentence(problem.detail)} If it stays so, tell whoever runs the bucket.`;
    default:
      return problem ? sentence(problem.detail) : 'Nobody said why. Try again.';
  }
}

/** What is not in the file, or not as it should be; empty where all of it is. */
export function shortfallWords({ gaps, problem, state, recordings }: Download): string {
  if (state !== 'ready' && state !== 'running' && state !== 'queued') return '';
  const missing = gaps.reduce((sum, gap) => sum + countIn(gap.missing), 0);
  const where = recordings.length > 1 ? ` of ${counted(gaps.length, 'recording')}` : listed(gaps[0]?.missing ?? []);
  const left = missing > 0 ? `Without ${counted(missing, 'chunk')}${where}, which the bucket does not hold.` : '';
  const unread = problem?.code === 'media_unreadable' ? problem.detail : '';
  return [left, unread].filter(Boolean).join(' ');
}

/** Why a recording cannot be had as one whole file: a heading, and what to know. */
export function askWords(problem: Problem | null, there: Availability | null): { heading: string; rest: string } {
  const held = there && there.chunks > 0 ? `${counted(there.chunks, 'chunk')}, ${bytes(there.bytes)}` : '';
  const missing = countIn(there?.missing ?? []);
  switch (problem?.code) {
    case 'recording_incomplete':
      return {
        heading: 'It is not complete yet',
        rest: held
          ? `It is still being recorded or sent. A file of what is in the bucket now (${held}) can be made; what comes later${missing > 0 ? `, and ${counted(missing, 'chunk')} in between,` : ''} would be left out.`
          : 'It is still being recorded or sent, and nothing of it is in the bucket so far.',
      };
    case 'chunks_missing':
      return {
        heading: `${counted(missing, 'chunk')} of it ${missing === 1 ? 'is' : 'are'} not in the bucket`,
        rest: `${missing === 1 ? 'It is' : 'They are'} asked for again${listed(there?.missing ?? [])}; once the device that recorded it has sent ${missing === 1 ? 'it' : 'them'}, the whole file can be made. A file without ${missing === 1 ? 'it' : 'them'} (${held || 'nothing'}) can be made now: what ${missing === 1 ? 'it holds' : 'they hold'} would be left out.`,
      };
    case 'recording_empty':
      return {
        heading: 'Nothing of it is in the bucket',
        rest: 'There is nothing to make a file of until its first chunk has arrived there.',
      };
    case 'too_many_downloads':
      return { heading: 'Too many downloads are under way', rest: problem.detail };
    default:
      return { heading: 'The download could not be begun', rest: problem?.detail ?? 'The server did not say why.' };
  }
}

/** Why one recording of several cannot be packed whole; empty where it can. */
export function whyNotWords({ available, problem, missing, chunks }: Availability): string {
  if (available) return '';
  switch (problem?.code) {
    case 'recording_incomplete':
      return chunks > 0 ? 'not complete yet' : 'not complete yet, and nothing of it is in the bucket';
    case 'chunks_missing':
      return `${counted(countIn(missing), 'chunk')} not in the bucket`;
    case 'recording_empty':
      return 'nothing of it is in the bucket';
    case 'recording_deleted':
      return 'deleted';
    case 'recording_unknown':
      return 'not in the bucket yet';
    default:
      return problem?.detail ?? 'it cannot be had';
  }
}

/** What is read out when a download has changed: each quarter, and its end; empty for all else. */
export function spokenOf(before: Download | undefined, now: Download): string {
  if (!before || before.version >= now.version) return '';
  const name = `“${nameOf(now)}”`;
  if (now.state !== before.state) {
    if (now.state === 'ready') return `${name}: the file is ready.`;
    if (now.state === 'failed') return `${name}: the file could not be made. ${failedWords(now.problem)}`;
    if (now.state === 'cancelled') return `${name}: the download was cancelled.`;
  }
  const quarter = Math.floor(now.percent / 25);
  if (now.state === 'running' && quarter > Math.floor(before.percent / 25))
    return `${name}: ${quarter * 25} percent are made.`;
  return '';
}

function countIn(ranges: readonly (readonly number[])[]): number {
  return ranges.reduce((sum, [first = 0, last = -1]) => sum + last - first + 1, 0);
}

/** Up to three ranges are worth reading. */
function listed(ranges: readonly (readonly number[])[]): string {
  if (ranges.length === 0 || ranges.length > 3) return '';
  return ` (${rangeList(ranges.map(([first = 0, last = 0]) => [first, last] as const))})`;
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

function plain(words: string): RowState {
  return { tone: 'plain', words, recording: false };
}
