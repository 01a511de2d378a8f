import { clock, counted, span } from '../format';
import type { Leap } from '../playback';
import type { Hole } from '../timeline';

/** Why there is nothing to play in a hole. */
export function causeWords({ cause, missing }: Hole): string {
  if (cause === 'silence' || !missing) return 'no device was there';
  const [first, last] = missing;
  const which = first === last ? `chunk ${first}` : `chunks ${first} to ${last}`;
  if (cause === 'lost') return `${which} ${first === last ? 'is' : 'are'} lost`;
  return `${which} ${first === last ? 'has' : 'have'} not arrived yet`;
}

/** What is said when playing went over a gap. */
export function leapWords({ fromS, toS, holes }: Leap): string {
  // Forwards, what was leapt over may be more than is missing: a picture can begin only with a whole one.
  const leapt = fromS < toS || holes.length === 0 ? [fromS, toS] : [];
  const from = Math.min(...leapt, ...holes.map((hole) => hole.fromS));
  const to = Math.max(...leapt, ...holes.map((hole) => hole.toS));
  const why = holes.length > 0 ? holes.map(causeWords).join('; ') : 'something is missing';
  const gap = `A gap of ${span((to - from) * 1000)} at ${clock(from * 1000)}: ${why}.`;
  return fromS < toS ? `${gap} Playing went on after it.` : gap;
}

/** A place as it is read out: how far, in which part, or in which gap. */
export function placeWords(seconds: number, lengthS: number, parts: readonly { startS: number | null }[]): string {
  const where = `${clock(seconds * 1000)} of ${clock(lengthS * 1000)}`;
  if (parts.length < 2) return where;
  const part = parts.filter(({ startS }) => startS !== null && startS <= seconds + 0.5).length;
  return `${where}, part ${Math.max(1, part)} of ${counted(parts.length, 'part').split(' ')[0]}`;
}
