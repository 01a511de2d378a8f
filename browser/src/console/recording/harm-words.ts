import type { RecordingView } from '../../recorder/types';
import type { Ranges, StoredStatus } from '../bucket-view';
import { clock, counted, rangeList, whole } from '../format';
import { lengthOf } from '../recording-summary';
import type { TapeChunk } from '../tape-cells';

/** What the bucket lacks of a recording: which chunks, of when, why, and what becomes of them. */
export interface Harm {
  kind: 'lost' | 'missing';
  heading: string;
  rest: string;
}

/** So many places are named; a bucket that lost half of a long recording lost it in thousands. */
const PLACES = 4;

/** What is wrong with it in the bucket, the worst first; empty where nothing is. `view`: what this device has of it. */
export function harmOf(
  status: StoredStatus | null,
  tape: readonly TapeChunk[],
  view: RecordingView | undefined,
): readonly Harm[] {
  if (!status) return [];
  const found: Harm[] = [];
  if (status.lost.length > 0) found.push(lostWords(status.lost, tape));
  if (status.missing.length > 0) found.push(missingWords(status, tape, view));
  return found;
}

function lostWords(lost: Ranges, tape: readonly TapeChunk[]): Harm {
  const one = lengthOf(lost) === 1;
  const them = one ? 'it' : 'them';
  return {
    kind: 'lost',
    heading: `${counted(lengthOf(lost), 'chunk')} ${one ? 'is' : 'are'} lost: ${placesOf(lost, tape)}`,
    rest: `The bucket no longer has ${them}, and every device that was known to hold ${them} has let ${them} go or was silent for too long. All other chunks are kept. If a device has ${them} after all, ${one ? 'it is' : 'they are'} sent and taken as soon as Safereel is opened there.`,
  };
}

function missingWords(status: StoredStatus, tape: readonly TapeChunk[], view: RecordingView | undefined): Harm {
  const { missing, open_tickets } = status;
  const one = lengthOf(missing) === 1;
  return {
    kind: 'missing',
    heading: `${counted(lengthOf(missing), 'chunk')} ${one ? 'is' : 'are'} gone from the bucket: ${placesOf(missing, tape)}`,
    rest: `Nothing is given up: ${waitOf(missing, open_tickets, view)}`,
  };
}

/** Who is to send them again. */
function waitOf(missing: Ranges, tickets: number, view: RecordingView | undefined): string {
  const one = lengthOf(missing) === 1;
  const [it, them] = one ? ['it', 'it'] : ['they', 'them'];
  if (holdsAll(view, missing))
    return `this device holds ${them} and sends ${them} again by itself. Keep this page open until then.`;
  if (tickets > 0)
    return `whoever recorded ${them} is asked to send ${them} again, which happens by itself. If nothing comes, open Safereel in the browser that recorded this, with its line on: ${it} may be held there alone.`;
  return `the bucket is searched for another copy of ${them}.`;
}

function holdsAll(view: RecordingView | undefined, ranges: Ranges): boolean {
  const held = new Set(view?.chunks.filter(({ state }) => state !== 'released').map(({ seq }) => seq));
  return ranges.every(([first, last]) => {
    for (let seq = first; seq <= last; seq += 1) if (!held.has(seq)) return false;
    return true;
  });
}

/** `00:01:40 to 00:01:50 (chunks 20–21)`, and so on; by numbers alone where nobody said when they were recorded. */
function placesOf(ranges: Ranges, tape: readonly TapeChunk[]): string {
  const named = ranges.slice(0, PLACES).map((range) => placeOf(range, tape));
  const more = ranges.length - named.length;
  return `${named.join(', ')}${more > 0 ? ` and ${whole(more)} more ${more === 1 ? 'place' : 'places'}` : ''}`;
}

function placeOf([first, last]: Ranges[number], tape: readonly TapeChunk[]): string {
  const numbers = `${first === last ? 'chunk' : 'chunks'} ${rangeList([[first, last]])}`;
  const [from, to] = [tape[first], tape[last]];
  if (!from?.durationMs || !to?.durationMs) return numbers;
  return `${clock(from.startMs)} to ${clock(to.startMs + to.durationMs)} (${numbers})`;
}
