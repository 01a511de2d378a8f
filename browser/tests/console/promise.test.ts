import { describe, expect, it } from 'vitest';
import { promiseOf, promiseSentence } from '../../src/console/promise';
import type { RecordingView, Snapshot } from '../../src/recorder/types';
import { chunk, snapshotOf, view } from './views';

const some = Array.from({ length: 38 }, (_, seq) => chunk(seq, 'on_disk'));

function said(one: RecordingView | undefined, part: Partial<Snapshot> = {}) {
  const promise = promiseOf(one, snapshotOf(one ? [one] : [], part));
  return { sentence: promiseSentence(promise), tone: promise.tone, rest: promise.rest };
}

describe('the promise', () => {
  it('names the time up to which all is confirmed', () => {
    expect(said(view(some, 34)).sentence).toBe('Everything up to 00:02:50 is safe in your bucket.');
  });

  it('says what is not safe, and that it is sent by itself', () => {
    expect(said(view(some, 34)).rest).toMatch(/^The last 20 seconds are on this device and on their way\./);
  });

  it('never names a time before the first chunk is confirmed', () => {
    expect(said(view(some, 0))).toMatchObject({
      sentence: 'Nothing of this is confirmed in your bucket yet.',
      tone: 'hold',
    });
  });

  it('speaks of the line while there is none', () => {
    expect(said(view(some, 34), { connection: 'offline' }).rest).toMatch(/sent when the line is back/);
  });

  it('goes on saying what is being sent after the end', () => {
    expect(said(view(some, 34, { state: 'sending' })).rest).toMatch(/4 chunks of 38 still to be confirmed/);
  });

  it.each(['sending', 'complete'] as const)('says that nothing is left here once that is so (%s)', (state) => {
    expect(said(view(some, 38, { state }))).toMatchObject({
      sentence: 'Safe: all 38 chunks are in your bucket and nothing is left only here.',
      tone: 'safe',
    });
  });

  it('does not call a running recording safe', () => {
    expect(said(view(some, 38)).tone).toBe('hold');
  });

  it('says that a refused recording stays', () => {
    const one = view(some, 34, { state: 'stuck', problem: { code: 'x', detail: 'It was deleted.' } });
    expect(said(one)).toMatchObject({
      tone: 'alert',
      rest: 'The rest stays on this device: 4 chunks that the server does not take.',
    });
  });

  it('promises nothing before it was looked, or where nothing can be recorded', () => {
    expect(said(undefined, { ready: false }).tone).toBe('hold');
    expect(promiseOf(undefined, snapshotOf([], { ready: false }), true).tone).toBe('alert');
  });

  it('speaks of the whole device while nothing is recorded', () => {
    expect(said(undefined).tone).toBe('safe');
    expect(said(undefined, { chunksOnlyHere: 3 })).toMatchObject({
      sentence: '3 chunks are only on this device.',
      tone: 'hold',
    });
  });
});
