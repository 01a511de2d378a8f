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

test('Retry-After is obeyed, and success or a reset opens at once', () => {
  const gate = new Gate(highest);
  gate.fail(0, 90_000);
  expect(gate.isOpen(89_999)).toBe(false);
  expect(gate.isOpen(90_000)).toBe(true);
  gate.reset();
  expect(gate.isOpen(0)).toBe(true);
  expect(gate.failing).toBe(false);
});
