import type { TrackKind } from '../../recorder/types';
import type { DeviceLoss } from '../studio';

export interface LossWords {
  tone: 'plain' | 'hold' | 'alert';
  heading: string;
  rest: string;
}

const DEVICES: Record<TrackKind, string> = { video: 'camera', audio: 'microphone' };

/** What a person has to know when a device went away: what is safe, what is not being recorded, what to do. */
export function lossWords({ gone, left, isBack }: DeviceLoss): LossWords {
  const device = named(gone);
  if (isBack)
    return {
      tone: 'plain',
      heading: `Recording goes on with a ${device}`,
      rest: 'Everything from before is kept. What was missing in between stays missing, and is shown as a new part.',
    };
  if (left.length === 0)
    return {
      tone: 'alert',
      heading: `${sentenceStart(device)} unplugged: nothing is being recorded`,
      rest: 'Everything until now is safe: it is on this device, and what is not in your bucket yet is being sent. Recording goes on as soon as you choose or plug in a device. Or stop, to finish with what there is.',
    };
  const what = left.includes('audio') ? 'only the sound is being recorded' : 'only the picture is being recorded';
  return {
    tone: 'alert',
    heading: `${sentenceStart(device)} unplugged: ${what}`,
    rest: `Everything until now is safe, and ${left.includes('audio') ? 'the sound' : 'the picture'} goes on. Plug in or choose a ${device}, and recording goes on with it by itself.`,
  };
}

function named(kinds: readonly TrackKind[]): string {
  return (['video', 'audio'] as const)
    .filter((kind) => kinds.includes(kind))
    .map((kind) => DEVICES[kind])
    .join(' and ');
}

function sentenceStart(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
