import type { Snapshot } from '../../recorder/types';
import { bytes, counted } from '../format';
import { bucketProblem } from '../problem-words';

export interface LineWords {
  /** `alert` where it does not pass by itself. */
  tone: 'hold' | 'alert';
  heading: string;
  rest: string;
  code?: string;
}

/** What to say of the line while it does not carry; `origin` is that of this page. */
export function lineWords(snapshot: Snapshot, origin: string): LineWords {
  const held = heldSentence(snapshot);
  if (snapshot.connection === 'offline')
    return { tone: 'hold', heading: 'This device is offline', rest: `${held} Recording works as always.` };
  const code = bucketProblem(snapshot)?.code;
  if (code === 'bucket_refuses_page')
    return {
      tone: 'alert',
      heading: 'The bucket does not let this page in',
      rest: `The server answered, and so did the bucket, but it took nothing from here. ${held} Recording works as always. For whoever runs it: the bucket’s CORS rules have to name ${origin}. “safereel provision” sets them, “safereel doctor” tells whether they work.`,
      code,
    };
  if (code === 'bucket_unreachable')
    return {
      tone: 'hold',
      heading: 'The bucket cannot be reached from here',
      rest: `The server answered, the bucket did not. ${held} Recording works as always. If this lasts, whoever runs it should look at the bucket’s public address with “safereel doctor”.`,
      code,
    };
  return {
    tone: 'hold',
    heading: 'The server or the bucket does not answer',
    rest: `${held} Recording works as always.`,
  };
}

function heldSentence({ chunksOnlyHere, bytesOnlyHere }: Snapshot): string {
  if (chunksOnlyHere === 0)
    return 'Nothing is waiting. What you record is kept here until the line is back, and what is in your bucket is safe.';
  const verb = chunksOnlyHere === 1 ? 'is' : 'are';
  return `${counted(chunksOnlyHere, 'chunk')} (${bytes(bytesOnlyHere)}) ${verb} kept here and sent by themselves. What is in your bucket is safe.`;
}
