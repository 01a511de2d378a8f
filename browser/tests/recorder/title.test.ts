import { expect, test } from 'vitest';
import { fitTitle } from '../../src/recorder/title';

test.each([
  ['Room 4', 'Room 4'],
  ['', ''],
  ['two\r\nlines', 'two lines'],
  ['a\u0000b\u001b[2Jc\u007f\u0085d', 'a b [2Jc d'],
  ['half \ud83d of one', 'half \ufffd of one'],
  ['\u202eback\u202c 👩‍👩‍👧‍👦 הקלטה', '\u202eback\u202c 👩‍👩‍👧‍👦 הקלטה'],
  ['x'.repeat(300), 'x'.repeat(200)],
  ['👩'.repeat(300), '👩'.repeat(200)],
])('%j is sent as %j', (title, sent) => {
  expect(fitTitle(title)).toBe(sent);
});
