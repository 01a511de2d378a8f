import type { Problem, TrackKind } from '../../recorder/types';
import type { DeviceLoss } from '../studio';

export interface LossWords {
  tone: 'plain' | 'hold' | 'alert';
  heading: string;
  rest: string;
}

const DEVICES: Record<TrackKind, string> = { video: 'camera', audio: 'microphone' };

/** What a person has to know when a device went away: what is safe, what is not being recorded, what to do. */
export function lossWords(loss: DeviceLoss): LossWords {
  const { gone, left, isBack, share } = loss;
  if (share) return shareWords(loss);
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

/** Why no other device could be had, to somebody whose recording runs on: what the page says before one begins would be wrong. */
const REFUSALS: Record<string, string> = {
  permission_denied: 'The browser allows no other one: allow it for this page in the address bar, then try again.',
  device_busy: 'Another program may be using the one that is there: close it there, then try again.',
  source_unsupported: 'This browser cannot record the one that is there: choose another.',
};

/** The same in words; empty where nothing was tried, or there is no device, which is what is said already. */
export function refusalWords(problem: Problem | null): string {
  return problem ? (REFUSALS[problem.code] ?? problem.detail) : '';
}

/** Of a shared screen, whose picture goes on: it is ended when the share is. */
function shareWords({ left, isBack, share }: DeviceLoss): LossWords {
  if (share === 'sound')
    return {
      tone: 'alert',
      heading: 'The sound of the screen ended: only the picture is being recorded',
      rest: 'Everything until now is safe, and the picture goes on. A browser gives sound only when a screen is chosen: for sound again, stop and begin a new recording.',
    };
  if (isBack)
    return {
      tone: 'plain',
      heading: 'Recording goes on with a microphone',
      rest: 'Everything from before is kept, and the screen was recorded all the time. What was said in between is not in it.',
    };
  const others = left.includes('audio') ? 'the picture and the screen’s own sound go on' : 'the picture goes on';
  return {
    tone: 'alert',
    heading: 'Microphone unplugged: the screen is recorded without it',
    rest: `Everything until now is safe, and ${others}. Plug in or choose a microphone, and it is recorded again by itself.`,
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
