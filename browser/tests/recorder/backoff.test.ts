import { expect, test } from 'vitest';
import { BACKOFF_BASE_MS, BACKOFF_CAP_MS, backoffMs, Gate } from '../../src/recorder/backoff';

const highest = () => 1;

test('the wait doubles up to the cap, with full jitter', () => {
  expect(backoffMs(1, highest)).toBe(BACKOFF_BASE_MS);
  expect(backoffMs(3, highest)).toBe(4 * BACKOFF_BASE_MS);
  expect(backoffMs(1_000, highest)).toBe(BACKOFF_CAP_MS);
  expect(backoffMs(1_000, () => 0)).toBe(0);
});

test('failures that belong together count once', () => {
  const gate = new Gate(highest);
  for (let i = 0; i < 3; i += 1) gate.fail(0);
  expect(gate.opensAt).toBe(BACKOFF_BASE_MS);
  gate.fail(BACKOFF_BASE_MS);
  expect(gate.opensAt).toBe(3 * BACKOFF_BASE_MS);
});

test('Retry-After is obeyed, with a spread on top, whatever else succeeds or is wished for meanwhile', () => {
  const gate = new Gate(() => 0.5);
  gate.fail(0, 20_000);
  gate.succeed(1_000);
  gate.reset(1_000);
  expect(gate.failing).toBe(true);
  expect(gate.isOpen(21_999)).toBe(false);
  expect(gate.isOpen(22_000)).toBe(true);
  gate.succeed(22_000);
  expect(gate.failing).toBe(false);
});

test('a long wait is spread by ten seconds at most', () => {
  const gate = new Gate(highest);
  gate.fail(0, 900_000);
  expect(gate.opensAt).toBe(910_000);
});

test('its own wait is forgotten on success or when somebody asks', () => {
  const gate = new Gate(highest);
  gate.fail(0);
  expect(gate.isOpen(BACKOFF_BASE_MS - 1)).toBe(false);
  gate.reset(1);
  expect(gate.isOpen(1)).toBe(true);
  expect(gate.failing).toBe(false);
});
