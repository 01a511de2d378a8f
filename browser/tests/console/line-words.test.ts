import { describe, expect, it } from 'vitest';
import { ClockWatch } from '../../src/console/clock-watch';
import { Happenings } from '../../src/console/happenings';
import { clockWords } from '../../src/console/shell/clock-words';
import { lineWords } from '../../src/console/shell/line-words';
import { roomWords } from '../../src/console/shell/room-words';
import { problemOf, type SafereelErrorCode } from '../../src/recorder/errors';
import type { SafereelEvent } from '../../src/recorder/types';
import { stillSafereel } from './gallery/fakes';
import { chunk, snapshotOf, view } from './views';

const ORIGIN = 'https://record.example.com';
const held = (problem?: SafereelErrorCode) =>
  view(
    [chunk(0, 'released'), chunk(1, 'on_disk'), chunk(2, 'on_disk')],
    1,
    problem ? { problem: problemOf(problem) } : {},
  );

describe('while the line does not carry', () => {
  it.each([
    ['offline', undefined, 'This device is offline'],
    ['retrying', undefined, 'The server or the bucket does not answer'],
    ['retrying', 'bucket_unreachable', 'The bucket cannot be reached from here'],
    ['retrying', 'bucket_refuses_page', 'The bucket does not let this page in'],
    ['offline', 'bucket_refuses_page', 'This device is offline'],
  ] as const)('%s, %s: %s', (connection, problem, heading) => {
    const words = lineWords(snapshotOf([held(problem)], { connection }), ORIGIN);
    expect(words.heading).toBe(heading);
    expect(words.rest).toContain('2 chunks (2.0 MB) are kept here and sent by themselves.');
    expect(words.rest).toContain('What is in your bucket is safe.');
    expect(words.rest).toContain('Recording works as always.');
  });

  it('names the address that the bucket has to let in, and says that it does not pass by itself', () => {
    const words = lineWords(snapshotOf([held('bucket_refuses_page')], { connection: 'retrying' }), ORIGIN);
    expect([words.tone, words.code]).toEqual(['alert', 'bucket_refuses_page']);
    expect(words.rest).toMatch(
      /CORS rules have to name https:\/\/record\.example\.com\. “safereel provision” sets them/,
    );
  });
});

describe('room on this device', () => {
  const storage = { persisted: true, usage: 39e9, quota: 40e9 };

  it('is not spoken of while there is enough', () => {
    expect(roomWords(snapshotOf([held()]), null)).toBeNull();
  });

  it('running out: nothing is lost, what to do, and a way out', () => {
    const words = roomWords(snapshotOf([held()], { storage }), held().id);
    expect(words?.heading).toBe('This device is nearly full');
    expect(words?.rest).toMatch(/^Nothing is lost: 1\.0 GB left .*Stay online, or free space/);
    expect(words?.save).toBe(held().id);
  });

  it.each([
    ['storage_full', 'This device is full', 'Free space on this device'],
    ['write_failed', 'The disk does not take what is recorded', 'Save the recording to a file'],
  ] as const)('%s: what is safe, what waits in memory, what to do', (code, heading, todo) => {
    const full = { ...held('bucket_unreachable'), unwritten: problemOf(code) };
    const words = roomWords(snapshotOf([full], { storage }), null);
    expect(words).toMatchObject({ heading, code, save: held().id });
    expect(words?.rest).toContain('What was written until now is safe.');
    expect(words?.rest).toContain('would be lost if this page closed: keep it open.');
    expect(words?.rest).toContain(todo);
  });
});

describe("this device's clock", () => {
  const dated = (date: string) => new Headers({ date });

  it('is compared with every answer, and passing differences are not worth a word', () => {
    const watch = new ClockWatch();
    const now = Date.parse('2026-11-22T05:00:00Z');
    watch.answered(dated('Sun, 22 Nov 2026 04:59:10 GMT'), now);
    expect(watch.state.get()).toBe(0);
    watch.answered(dated('Sun, 22 Nov 2026 02:59:10 GMT'), now);
    expect(clockWords(watch.state.get()).heading).toBe('This device’s clock is about 2 h fast');
    watch.answered(new Headers(), now);
    watch.answered(dated('Sun, 22 Nov 2026 05:40:00 GMT'), now);
    expect(clockWords(watch.state.get())).toMatchObject({
      heading: 'This device’s clock is about 40 min slow',
      rest: expect.stringMatching(/^Nothing is lost by it: .* set right\.$/),
    });
    watch.answered(dated('Sun, 22 Nov 2026 05:00:01 GMT'), now);
    expect(watch.state.get()).toBe(0);
  });
});

it('problems of one recording that its view does not carry are shown too', () => {
  let tell: (event: SafereelEvent) => void = () => undefined;
  const happenings = new Happenings({
    ...stillSafereel(snapshotOf([])),
    subscribe: (listener) => {
      tell = listener;
      return () => undefined;
    },
  });
  for (const code of ['capture_failed', 'recording_refiled', 'storage_full', 'bucket_unreachable'] as const)
    tell({ type: 'problem', recordingId: 'r1', problem: problemOf(code) });
  expect(happenings.state.get().problems.map(({ code }) => code)).toEqual(['capture_failed', 'recording_refiled']);
});
