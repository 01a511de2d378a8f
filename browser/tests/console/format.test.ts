import { describe, expect, it } from 'vitest';
import { bytes, clock, counted, moment, rangeList, rate, roughly, span } from '../../src/console/format';

describe('times', () => {
  it.each([
    [0, '00:00:00'],
    [999, '00:00:00'],
    [740_000, '00:12:20'],
    [3_599_999, '00:59:59'],
    [100 * 3_600_000, '100:00:00'],
    [-5, '00:00:00'],
  ])('%i ms is %s on the clock', (ms, text) => expect(clock(ms)).toBe(text));

  it.each([
    [1_000, '1 second'],
    [18_400, '18 seconds'],
    [250_000, '4 min 10 s'],
    [7_500_000, '2 h 5 min'],
  ])('%i ms is %s in words', (ms, text) => expect(span(ms)).toBe(text));

  it.each([
    [33.4 * 3_600_000, '33 h'],
    [48 * 60_000, '48 min'],
    [40 * 86_400_000, '40 days'],
  ])('%i ms is roughly %s', (ms, text) => expect(roughly(ms)).toBe(text));

  it('names days near now', () => {
    const now = new Date(2026, 10, 21, 15, 0).getTime();
    expect(moment(new Date(2026, 10, 21, 14, 2).getTime(), now)).toBe('today 14:02');
    expect(moment(new Date(2026, 10, 20, 23, 59).getTime(), now)).toBe('yesterday 23:59');
    expect(moment(new Date(2026, 10, 2, 9, 5).getTime(), now)).toBe('2 Nov 09:05');
    expect(moment(new Date(2025, 10, 2, 9, 5).getTime(), now)).toBe('2 Nov 2025');
  });
});

describe('numbers', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [61_400_000, '61.4 MB'],
    [822_000_000, '822 MB'],
    [999_600, '1.0 MB'],
    [38_000_000_000, '38 GB'],
  ])('%i bytes are %s', (size, text) => expect(bytes(size)).toBe(text));

  it('tells rates in bits', () => expect(rate(300_000)).toBe('2.4 Mbit/s'));
  it('counts one and many', () =>
    expect([counted(1, 'chunk'), counted(3000, 'chunk')]).toEqual(['1 chunk', '3,000 chunks']));
  it('lists ranges', () =>
    expect(
      rangeList([
        [0, 41],
        [43, 43],
      ]),
    ).toBe('0–41, 43'));
});
