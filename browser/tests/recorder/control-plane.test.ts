import { expect, test } from 'vitest';
import { putOutcome, requestIdOf, retryAfterMs } from '../../src/recorder/control-plane';

const NOW = Date.parse('2026-11-21T12:00:00Z');

test.each([
  ['7', 7_000],
  [' 7 ', 7_000],
  ['0', 0],
  ['Sat, 21 Nov 2026 12:00:30 GMT', 30_000],
  ['Sat, 21 Nov 2026 11:00:00 GMT', 0],
  ['86400', 900_000],
  ['999999999999999999999', 900_000],
  ['soon', 0],
  ['-5', 0],
])('Retry-After: %s', (value, ms) => {
  expect(retryAfterMs(new Headers({ 'retry-after': value }), NOW)).toBe(ms);
});

test('without Retry-After the backoff alone counts', () => {
  expect(retryAfterMs(new Headers(), NOW)).toBe(0);
});

test("a busy bucket's wish is read too", () => {
  expect(putOutcome(503, new Headers({ 'retry-after': '3' }))).toEqual({ kind: 'busy', retryAfterMs: 3_000 });
});

test('the request id comes from the problem, else from the header', () => {
  expect(requestIdOf({ request_id: 'a' }, new Headers({ 'x-request-id': 'b' }))).toBe('a');
  expect(requestIdOf({}, new Headers({ 'x-request-id': 'b' }))).toBe('b');
  expect(requestIdOf({}, new Headers())).toBeNull();
});
