import type { RecordingView, Snapshot } from '../recorder/types';
import { clock, counted, span } from './format';
import { heldOf } from './held-words';
import { bucketProblem } from './problem-words';

/** How the promise is to be read: `safe` nothing is only here; `hold` something is; `alert` something needs a person. */
export type PromiseTone = 'safe' | 'hold' | 'alert';

/** The page's first sentence. `at` (a time) stands between `before` and `after` and is set off from them. */
export interface SafetyPromise {
  tone: PromiseTone;
  before: string;
  at: string | null;
  after: string;
  /** What is not safe yet, what happens by itself, what to do. */
  rest: string;
}

/**
 * The promise for the recording in view, or for this device where none is: never says more than was confirmed. `barred`:
 * the recorder could not begin at all.
 */
export function promiseOf(view: RecordingView | undefined, snapshot: Snapshot, barred = false): SafetyPromise {
  if (barred && !snapshot.ready) return BARRED;
  if (!snapshot.ready && snapshot.recordings.length === 0) return STARTING;
  if (!view) return idlePromise(snapshot);
  if (view.state === 'stuck') return { ...upTo(view), tone: 'alert', rest: stuckRest(view) };
  if (view.state === 'sending' || view.state === 'complete') return endedPromise(view, snapshot);
  return { ...upTo(view), tone: 'hold', rest: underWayRest(view, snapshot) };
}

const STARTING: SafetyPromise = {
  tone: 'hold',
  before: 'Looking at what this device holds.',
  at: null,
  after: '',
  rest: 'Anything left from an earlier visit is found and sent by itself.',
};

const BARRED: SafetyPromise = {
  tone: 'alert',
  before: 'Nothing can be recorded here at present.',
  at: null,
  after: '',
  rest: 'What is in your bucket is safe, and nothing on this device was changed.',
};

/** The promise as one sentence, for a screen reader. */
export function promiseSentence(promise: SafetyPromise): string {
  return `${promise.before}${promise.at ?? ''}${promise.after}`;
}

/** True once all of an ended recording is confirmed in the bucket. */
export function isAllSafe(view: RecordingView): boolean {
  const ended = view.state === 'sending' || view.state === 'complete';
  return ended && view.chunksOnlyHere === 0;
}

function idlePromise(snapshot: Snapshot): SafetyPromise {
  if (snapshot.chunksOnlyHere === 0) {
    return {
      tone: 'safe',
      before:
        snapshot.recordings.length > 0
          ? 'All that was recorded here is safe in your bucket.'
          : 'Ready. Nothing waits on this device to be sent.',
      at: null,
      after: '',
      rest: 'What you record is written to this device as it happens, then sent to your bucket. A closed tab, a lost line or a crash costs nothing that was written.',
    };
  }
  const { onlyHere, proving } = heldOf(snapshot.recordings);
  if (onlyHere === 0) {
    return {
      tone: 'hold',
      before: 'All that was recorded here is in your bucket, and is being confirmed.',
      at: null,
      after: '',
      rest: `This device keeps ${counted(proving, 'chunk')} until the bucket was seen to hold ${proving === 1 ? 'it' : 'them'} again. Recording can start at any time.`,
    };
  }
  const one = onlyHere === 1;
  return {
    tone: 'hold',
    before: `${counted(onlyHere, 'chunk')} ${one ? 'is' : 'are'} only on this device.`,
    at: null,
    after: '',
    rest: `${one ? 'It is' : 'They are'} ${idleWait(snapshot)} Recording can start at any time.`,
  };
}

function idleWait({ connection, overQuota }: Snapshot): string {
  if (connection === 'offline') return 'kept here and sent when the line is back.';
  return overQuota ? 'kept here and sent once there is room in your share of the bucket.' : 'being sent.';
}

function upTo(view: RecordingView): Pick<SafetyPromise, 'before' | 'at' | 'after'> {
  if (view.safeMs >= 1000)
    return { before: 'Everything up to ', at: clock(view.safeMs), after: ' is safe in your bucket.' };
  return { before: 'Nothing of this is confirmed in your bucket yet.', at: null, after: '' };
}

function underWayRest(view: RecordingView, snapshot: Snapshot): string {
  const held = view.durationMs - view.safeMs;
  const what = view.safeMs >= 1000 ? `The last ${span(held)} are` : `${sentenceStart(span(held))} are`;
  if (held < 1000) return 'What comes next is written to this device first, then sent.';
  if (view.unwritten) return `${what} on this device. Keep this tab open: what is recorded now waits in memory.`;
  if (snapshot.connection === 'offline') {
    return `${what} on this device and sent when the line is back. Recording goes on.`;
  }
  if (bucketProblem(snapshot)) return `${what} on this device until the bucket takes them. Recording goes on.`;
  if (snapshot.overQuota) {
    return `${what} on this device and sent by themselves once there is room in your share of the bucket. Recording goes on.`;
  }
  return `${what} on this device and on their way. Closing this tab ends the recording and loses nothing that was written: the rest is sent at your next visit.`;
}

function endedPromise(view: RecordingView, snapshot: Snapshot): SafetyPromise {
  const total = view.chunks.length;
  if (total === 0) return { tone: 'safe', before: 'Nothing was recorded.', at: null, after: '', rest: '' };
  if (isAllSafe(view)) {
    const all = total === 1 ? 'the one chunk is' : `all ${counted(total, 'chunk')} are`;
    return {
      tone: 'safe',
      before: `Safe: ${all} in your bucket and nothing is left only here.`,
      at: null,
      after: '',
      rest: view.state === 'complete' ? 'The recording is complete.' : 'The recording is being closed in your bucket.',
    };
  }
  const { onlyHere, proving } = heldOf([view]);
  if (onlyHere === 0 && snapshot.connection !== 'offline') {
    return {
      ...upTo(view),
      tone: 'hold',
      rest: `Recorded to the end, and sent. ${counted(proving, 'chunk')} of ${total} still to be confirmed. You can close this tab.`,
    };
  }
  const left = `${counted(view.chunksOnlyHere, 'chunk')} of ${total}`;
  const rest =
    snapshot.connection === 'offline'
      ? `Recorded to the end. ${left} wait on this device until the line is back.`
      : snapshot.overQuota
        ? `Recorded to the end. ${left} wait on this device until there is room in your share of the bucket.`
        : `Recorded to the end. Sending: ${left} still to be confirmed. You can close this tab: sending goes on at your next visit.`;
  return { ...upTo(view), tone: 'hold', rest };
}

function stuckRest(view: RecordingView): string {
  return `The rest stays on this device: ${counted(view.chunksOnlyHere, 'chunk')} that the server does not take.`;
}

function sentenceStart(text: string): string {
  return `The first ${text}`;
}
