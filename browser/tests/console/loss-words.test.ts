import { expect, test } from 'vitest';
import { lossWords, refusalWords } from '../../src/console/record/loss-words';
import { refusalOf } from '../../src/console/sources';

test.each([
  { gone: ['audio'], left: [], heading: 'Microphone unplugged: nothing is being recorded' },
  { gone: ['audio', 'video'], left: [], heading: 'Camera and microphone unplugged: nothing is being recorded' },
  { gone: ['video'], left: ['audio'], heading: 'Camera unplugged: only the sound is being recorded' },
  { gone: ['audio'], left: ['video'], heading: 'Microphone unplugged: only the picture is being recorded' },
] as const)('$gone gone, $left left: $heading', ({ gone, left, heading }) => {
  const words = lossWords({ gone, left, isBack: false, problem: null });
  expect(words.heading).toBe(heading);
  expect(words.rest).toContain('Everything until now is safe');
});

test.each(['NotAllowedError', 'NotReadableError', 'TypeError', 'AbortError'])(
  'while something is recorded, %s does not say that nothing is',
  (name) => {
    const error = name === 'TypeError' ? new TypeError('x') : Object.assign(new Error('x'), { name });
    const said = refusalWords(refusalOf(error, 'microphone'));
    expect(said).not.toContain('Nothing is being recorded');
    expect(said).toMatch(/try again|choose another/);
  },
);
