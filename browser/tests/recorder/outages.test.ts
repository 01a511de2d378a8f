/** Long outages, a bucket that lets nobody in, and clocks that are set: what is held, what is said, and that all of it arrives. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { worded } from '../../src/recorder/errors';
import type { Trouble } from '../../src/recorder/failure';
import type { Problem } from '../../src/recorder/types';
import { Uploader } from '../../src/recorder/uploader';
import { FakeControlPlane } from './support/fake-control-plane';
import { FACTS, SILENT, SOURCE, sealOf } from './support/uploader-bench';

const HOUR_MS = 3_600_000;

let stop = new AbortController();
beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  stop.abort();
  stop = new AbortController();
  vi.useRealTimers();
});

function setUp(plane = new FakeControlPlane()) {
  const said: Problem[] = [];
  let completed = false;
  const events = {
    ...SILENT,
    completed: () => {
      completed = true;
    },
    stuck: (_id: string, problem: Trouble) => said.push(worded(problem)),
    trouble: (_id: string, problem: Trouble | null) => problem && said.push(worded(problem)),
  };
  const uploader = new Uploader(plane, SOURCE, events, { parallelPuts: 3, signal: stop.signal, random: () => 0.5 });
  const finish = (count: number) => uploader.end(FACTS.id, { chunkCount: count, totalBytes: count * 10 });
  const codes = () => said.map(({ code }) => code);
  return { plane, uploader, said, codes, finish, isComplete: () => completed };
}

/** Records for so long, a chunk every five seconds; answers how many there are then. */
async function record(uploader: Uploader, ms: number, from: number): Promise<number> {
  let seq = from;
  for (let at = 0; at < ms; at += 5_000) {
    uploader.add(FACTS.id, sealOf(seq));
    seq += 1;
    await vi.advanceTimersByTimeAsync(5_000);
  }
  return seq;
}

test('the server is gone for an hour: all is held, it is asked now and then, and everything arrives once it is back', async () => {
  const { plane, uploader, codes, finish, isComplete } = setUp();
  const shipment = uploader.open(FACTS, false);
  const before = await record(uploader, 20_000, 0);
  plane.fault = () => 'drop';
  plane.calls.length = 0;
  const count = await record(uploader, HOUR_MS, before);
  expect(shipment.heldCount).toBe(count);
  expect(uploader.connection(true).connection).toBe('retrying');
  const tries = plane.calls.length;
  expect(tries).toBeGreaterThan(HOUR_MS / 60_000); // At least once a minute …
  expect(tries).toBeLessThan(HOUR_MS / 5_000); // … and no hammering.

  plane.fault = () => null;
  const { retryAt } = uploader.connection(true);
  expect((retryAt ?? 0) - Date.now()).toBeLessThanOrEqual(30_000);
  await vi.advanceTimersByTimeAsync(30_000);
  expect(uploader.connection(true)).toEqual({ connection: 'online', retryAt: null });
  finish(count);
  await vi.advanceTimersByTimeAsync(30_000);
  expect([isComplete(), plane.objects.size]).toEqual([true, count]);
  expect(codes()).toEqual([]); // The connection's state says it: a problem each minute would say nothing more.
});

test.each([
  ['back', -HOUR_MS],
  ['forward', HOUR_MS],
])('a clock that is set %s by an hour in an outage makes nobody wait for it', async (_way, byMs) => {
  const { plane, uploader, finish, isComplete } = setUp();
  plane.fault = () => 'drop';
  uploader.open(FACTS, false);
  const count = await record(uploader, 60_000, 0);
  vi.setSystemTime(Date.now() + byMs);
  plane.fault = () => null;
  const { retryAt } = uploader.connection(true);
  expect((retryAt ?? 0) - Date.now()).toBeLessThanOrEqual(30_000); // By the clock that the page counts down with.
  finish(count);
  await vi.advanceTimersByTimeAsync(30_000);
  expect([isComplete(), plane.objects.size]).toEqual([true, count]);
});

test('a bucket that lets this page in by no CORS rule is told for what it is with the second PUT', async () => {
  const { plane, uploader, said, codes, finish, isComplete } = setUp();
  plane.fault = (call) => (call === 'put' ? 'drop' : null);
  uploader.open(FACTS, false);
  uploader.add(FACTS.id, sealOf(0));
  await vi.advanceTimersByTimeAsync(600);
  expect(plane.calls.filter(({ call }) => call === 'put')).toHaveLength(2);
  expect(codes()).toEqual(['bucket_refuses_page']);
  expect(said[0]?.detail).toMatch(/kept on this device and tried again/);
  expect(said[0]?.detail).toMatch(/CORS rules .* `safereel provision`/);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(new Set(codes())).toEqual(new Set(['bucket_refuses_page']));

  plane.fault = () => null;
  finish(1);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(isComplete()).toBe(true);
});

test.each([
  ['does not answer at all', false, null],
  ['has answered a PUT before', true, 'stored'],
  ['has refused one readably', true, 'refused'],
] as const)('a bucket that %s is not told to leave this page out', async (_what, answers, first) => {
  const { plane, uploader, codes } = setUp();
  uploader.open(FACTS, false);
  if (first) {
    let puts = 0;
    plane.fault = (call) => (call === 'put' && first === 'refused' && puts++ === 0 ? 403 : null);
    uploader.add(FACTS.id, sealOf(0));
    await vi.advanceTimersByTimeAsync(2_000);
  }
  plane.bucketAnswers = answers;
  plane.fault = (call) => (call === 'put' ? 'drop' : null);
  uploader.add(FACTS.id, sealOf(1));
  await vi.advanceTimersByTimeAsync(60_000);
  expect(new Set(codes())).toEqual(new Set(['bucket_unreachable']));
});
