import { expect, test } from 'vitest';
import { Lanes, MOST_LANES } from '../../src/recorder/lanes';
import { Pace } from '../../src/recorder/pace';

const CHUNK = 1_000_000;

/** Sends chunks with all lanes in use over a line that carries `rate(lanes)` bytes a second; answers the lanes after each. */
function send(
  lanes: Lanes,
  chunks: number,
  rate: (lanes: number) => number,
  from = 0,
): { used: number[]; now: number } {
  const used: number[] = [];
  let now = from;
  for (let sent = 0; sent < chunks; sent += 1) {
    lanes.observe(now, lanes.open);
    now += (CHUNK / rate(lanes.open)) * 1000;
    lanes.carried(now, CHUNK);
    used.push(lanes.open);
  }
  return { used, now };
}

test('lanes open while each makes the line carry more, and no more than a browser has connections', () => {
  const lanes = new Lanes();
  const { used } = send(lanes, 400, (open) => open * 1_000_000);
  expect(lanes.open).toBe(MOST_LANES);
  expect(used[0]).toBe(2);
  expect(new Set(used)).toEqual(new Set([2, 3, 4, 5, 6]));
});

test('a lane that brings nothing is closed again, and tried again only much later', () => {
  const lanes = new Lanes();
  const { used } = send(lanes, 300, (open) => Math.min(open, 3) * 500_000);
  expect(lanes.open).toBeLessThanOrEqual(4);
  expect(Math.max(...used)).toBe(4);
  const atFour = used.filter((open) => open === 4).length;
  expect(atFour / used.length).toBeLessThan(0.3);
});

test('failures halve the lanes, and those of PUTs that were under way together halve them once', () => {
  const lanes = new Lanes();
  const { now } = send(lanes, 400, (open) => open * 1_000_000);
  for (const beganAt of [now - 30, now - 20, now - 10]) lanes.failed(now, beganAt);
  expect(lanes.open).toBe(3);
  lanes.failed(now + 2, now + 1);
  lanes.failed(now + 4, now + 3);
  lanes.failed(now + 6, now + 5);
  expect(lanes.open).toBe(1);
  send(lanes, 400, (open) => open * 1_000_000, now + 10);
  expect(lanes.open).toBe(MOST_LANES);
});

test('a line that is not full tells nothing', () => {
  const lanes = new Lanes();
  for (let now = 0; now < 200_000; now += 1_000) {
    lanes.observe(now, 1);
    lanes.carried(now + 500, CHUNK);
  }
  expect(lanes.open).toBe(2);
});

test.each([
  [1, 1],
  [3, 3],
  [50, MOST_LANES],
  [0, 1],
])('a page that allows %i gets at most %i', (most, expected) => {
  const lanes = new Lanes(most);
  send(lanes, 400, (open) => open * 1_000_000);
  expect(lanes.open).toBe(expected);
});

test('a limit is kept on average, whatever the sizes', () => {
  const pace = new Pace();
  pace.setLimit(0, 1_000);
  let sent = 0;
  for (let now = 0; now <= 60_000; now += 10) {
    if (!pace.isOpen(now)) continue;
    const bytes = 1_000 + (now % 7) * 500;
    pace.spend(now, bytes);
    sent += bytes;
  }
  expect(sent).toBeGreaterThan(58_000);
  expect(sent).toBeLessThan(65_000);
});

test('what went out under one limit is made up for at the next; without a limit nothing is', () => {
  const pace = new Pace();
  pace.setLimit(0, 1_000);
  pace.spend(0, 10_000);
  expect(pace.opensAt).toBe(10_000);
  pace.setLimit(5_000, 500);
  expect(pace.opensAt).toBe(15_000);
  pace.setLimit(6_000, null);
  expect(pace.isOpen(6_000)).toBe(true);
  pace.spend(6_000, 1e9);
  expect(pace.isOpen(6_000)).toBe(true);
  pace.setLimit(7_000, 1);
  expect(pace.isOpen(7_000)).toBe(true);
});
