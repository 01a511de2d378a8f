import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { HeartbeatAnswer, HeartbeatRequest, Holding } from '../../src/recorder/control-plane';
import { AnswerOrder, Heartbeat, jittered, withinBounds } from '../../src/recorder/heartbeat';
import { FakeControlPlane, failure } from './support/fake-control-plane';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('an answer older than one already handled is dropped', () => {
  const order = new AnswerOrder();
  expect([3, 2, 3, 4].map((counter) => order.admits(counter))).toEqual([true, false, false, true]);
});

test('the interval is spread by a fifth either way', () => {
  expect(jittered(1_000, () => 0)).toBeCloseTo(800);
  expect(jittered(1_000, () => 1)).toBeCloseTo(1_200);
});

test('what is held is cut to what one heartbeat may say, and the rest comes in turn', () => {
  const holding: Holding[] = Array.from({ length: 1_500 }, (_, i) => ({
    recording_id: `${i}`,
    ranges: [[0, 0]],
    open: false,
  }));
  expect(withinBounds(holding, 0)).toHaveLength(1_000);
  expect(withinBounds(holding, 1_000)[0]?.recording_id).toBe('1000');
  const many: Holding[] = [
    { recording_id: 'a', open: false, ranges: Array.from({ length: 20_000 }, (_, i) => [2 * i, 2 * i]) },
  ];
  expect(withinBounds(many, 0)[0]?.ranges).toHaveLength(10_000);
});

function setUp(answer: Partial<HeartbeatAnswer> = {}, random = () => 0.5) {
  const plane = new FakeControlPlane();
  const requests: HeartbeatRequest[] = [];
  const beat = plane.heartbeat.bind(plane);
  let failing = false;
  plane.heartbeat = async (request) => {
    requests.push(request);
    if (failing) throw failure(503, 'busy', 7_000);
    return { ...(await beat(request)), ...answer };
  };
  const handled: number[] = [];
  let needed = true;
  let calm = false;
  const stop = new AbortController();
  const duties = {
    needed: () => needed,
    calm: () => calm,
    holding: () => [],
    storage: async () => ({ persisted: null, usage: null, quota: null }),
    handle: async (given: HeartbeatAnswer) => void handled.push(given.counter),
    trouble: () => undefined,
  };
  // Nothing is left to chance: a half neither shortens nor lengthens an interval.
  const heartbeat = new Heartbeat(plane, 'd', duties, stop.signal, random);
  return {
    heartbeat,
    requests,
    handled,
    stop,
    fail: (on: boolean) => {
      failing = on;
    },
    rest: (on: boolean) => {
      calm = on;
    },
    need: (on: boolean) => {
      needed = on;
    },
  };
}

test('beats at once, then at the rate the control plane asks for', async () => {
  const { heartbeat, requests, stop } = setUp({ next_heartbeat_ms: 10_000 });
  heartbeat.soon();
  await vi.advanceTimersByTimeAsync(0);
  expect(requests).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(7_900);
  expect(requests).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(4_200);
  expect(requests).toHaveLength(2);
  expect(requests.map(({ counter }) => counter)).toEqual([1, 2]);
  stop.abort();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(requests).toHaveLength(2);
});

test('events bring it forward, at most once a second', async () => {
  const { heartbeat, requests } = setUp();
  for (let i = 0; i < 30; i += 1) {
    heartbeat.soon();
    await vi.advanceTimersByTimeAsync(100);
  }
  expect(requests.length).toBeGreaterThanOrEqual(3);
  expect(requests.length).toBeLessThanOrEqual(4);
});

test('it comes rarely while nothing is held but spare copies, and at once when there is something to say', async () => {
  const { heartbeat, requests, rest } = setUp({ next_heartbeat_ms: 5_000 });
  rest(true);
  heartbeat.soon();
  await vi.advanceTimersByTimeAsync(0);
  await vi.advanceTimersByTimeAsync(47_000);
  expect(requests).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(26_000);
  expect(requests).toHaveLength(2);
  heartbeat.soon();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(requests).toHaveLength(3);
  heartbeat.gone('a');
  heartbeat.soon();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(requests.at(-1)?.gone).toEqual(['a']);
});

test('it is silent while there is nothing to say, and starts again', async () => {
  const { heartbeat, requests, need } = setUp();
  need(false);
  heartbeat.soon();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(requests).toHaveLength(0);
  need(true);
  heartbeat.soon();
  await vi.advanceTimersByTimeAsync(1);
  expect(requests).toHaveLength(1);
});

test('Retry-After is obeyed and gone tickets are named until an answer came', async () => {
  const { heartbeat, requests, handled, fail } = setUp();
  heartbeat.gone('t1');
  fail(true);
  heartbeat.soon();
  await vi.advanceTimersByTimeAsync(7_699); // Half of the spread, which is a fifth of the seven seconds.
  expect(requests).toHaveLength(1);
  fail(false);
  await vi.advanceTimersByTimeAsync(1);
  expect(requests.map(({ gone }) => gone)).toEqual([['t1'], ['t1']]);
  await vi.advanceTimersByTimeAsync(4_999);
  expect(handled).toEqual([2]);
  await vi.advanceTimersByTimeAsync(1);
  expect(requests.at(-1)?.gone).toEqual([]);
  expect(handled).toEqual([2, 3]);
});

test.each([0, 0.1234, 0.5, 0.777, 0.999])(
  'after a wait the server asked for, the usual rate comes back at once (%d)',
  async (random) => {
    const { heartbeat, requests, fail } = setUp({}, () => random);
    fail(true);
    heartbeat.soon();
    await vi.advanceTimersByTimeAsync(1);
    fail(false);
    await vi.advanceTimersByTimeAsync(8_400);
    expect(requests).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(2_500); // A gate that counts as closed for a fraction of a millisecond would beat now.
    expect(requests).toHaveLength(2);
  },
);

test('a late answer is not acted upon', async () => {
  const { heartbeat, handled } = setUp({ counter: 0 });
  heartbeat.soon();
  await vi.advanceTimersByTimeAsync(1);
  heartbeat.soon();
  await vi.advanceTimersByTimeAsync(1_100);
  expect(handled).toEqual([0]);
});
