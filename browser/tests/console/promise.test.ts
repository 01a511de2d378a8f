import { describe, expect, it } from 'vitest';
import { heldOf, heldWords } from '../../src/console/held-words';
import { promiseOf, promiseSentence } from '../../src/console/promise';
import { problemOf } from '../../src/recorder/errors';
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

  it('claims nothing that a full disk or a bucket that leaves the page out would make untrue', () => {
    const full = view(some, 34, { unwritten: problemOf('storage_full') });
    expect(said(full, { connection: 'offline' }).rest).toMatch(
      /Keep this tab open: what is recorded now waits in memory/,
    );
    const refused = view(some, 34, { problem: problemOf('bucket_refuses_page') });
    expect(said(refused, { connection: 'retrying' }).rest).toMatch(
      /on this device until the bucket takes them\. Recording goes on/,
    );
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
    const left = view(some, 35, { state: 'sending' });
    expect(said(undefined, snapshotOf([left]))).toMatchObject({
      sentence: '3 chunks are only on this device.',
      tone: 'hold',
    });
  });

  it('does not call only here what was proven in the bucket, nor safe', () => {
    const proven = some.map((one) => ({ ...one, state: one.seq < 35 ? ('confirmed' as const) : ('acked' as const) }));
    const sent = view(proven, 35, { state: 'sending' });
    expect(said(undefined, snapshotOf([sent]))).toMatchObject({
      sentence: 'All that was recorded here is in your bucket, and is being confirmed.',
      tone: 'hold',
    });
    expect(said(sent)).toMatchObject({ tone: 'hold', rest: expect.stringContaining('3 chunks of 38 still to be') });
    expect(heldWords(heldOf([sent]))).toBe('3 chunks in the bucket, being confirmed');
    expect(heldWords({ onlyHere: 1, proving: 3 })).toBe('1 chunk only on this device, 3 being confirmed');
  });
});
