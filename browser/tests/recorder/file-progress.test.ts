import { expect, test } from 'vitest';
import { FilePace, progressOf } from '../../src/recorder/file-progress';
import type { FileMarks, RecordingHead } from '../../src/recorder/spool-protocol';

const MARKS: FileMarks = {
  paused: false,
  checking: false,
  sourceNeeded: false,
  reopenable: false,
  bytesPerSecond: 250,
};

function head(part: Partial<RecordingHead>, marks: Partial<FileMarks> = {}): RecordingHead {
  const file = { name: 'film.webm', size: 1000, lastModified: 5, chunkBytes: 100 };
  return { facts: { file }, sentBytes: 500, file: { ...MARKS, ...marks }, ...part } as RecordingHead;
}

test('what is left at the present speed', () => {
  expect(progressOf(head({}))).toEqual({
    state: 'sending',
    name: 'film.webm',
    lastModified: 5,
    totalBytes: 1000,
    sentBytes: 500,
    bytesPerSecond: 250,
    timeLeftMs: 2000,
    reopenable: false,
  });
});

test.each<[string, Partial<RecordingHead>, Partial<FileMarks>]>([
  ['paused', {}, { paused: true }],
  ['source_needed', {}, { paused: true, sourceNeeded: true }],
  ['checking', {}, { sourceNeeded: true, checking: true }],
  ['complete', { complete: true }, { sourceNeeded: true }],
  ['stuck', { stuck: true }, {}],
])('%s: nothing is being sent, so no time is named', (state, part, marks) => {
  expect(progressOf(head(part, marks))).toMatchObject({ state, bytesPerSecond: null, timeLeftMs: null });
});

test('what is recorded has none', () => {
  expect(progressOf(head({ facts: {} as RecordingHead['facts'] }))).toBeNull();
});

test('the speed is that of the last seconds, and forgets what was before an interruption', () => {
  const pace = new FilePace(0);
  expect(pace.perSecond(1000)).toBeNull();
  pace.sent(2000, 8000);
  expect(pace.perSecond(4000)).toBe(2000);
  pace.sent(30_000, 8000);
  expect(pace.perSecond(30_000)).toBe(400);
  pace.restart(31_000);
  expect(pace.perSecond(32_000)).toBeNull();
});
