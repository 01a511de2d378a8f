import { expect, test } from 'vitest';
import { until } from '../../src/recorder/waiting';

const never = new Promise<string>(() => undefined);

test('without a signal, or with one that stays silent, it is the promise', async () => {
  expect(await until(Promise.resolve('done'), undefined)).toBe('done');
  expect(await until(Promise.resolve('done'), new AbortController().signal)).toBe('done');
  await expect(until(Promise.reject(new Error('no')), new AbortController().signal)).rejects.toThrow('no');
});

test('a signal frees whoever waits, with its reason, before or meanwhile', async () => {
  await expect(until(never, AbortSignal.abort('left'))).rejects.toBe('left');
  const leaving = new AbortController();
  const waiting = until(never, leaving.signal);
  leaving.abort('gone');
  await expect(waiting).rejects.toBe('gone');
});
