import { expect, test } from 'vitest';
import { countOf, inRanges, toRanges } from '../../src/recorder/ranges';

test.each([
  { numbers: [], ranges: [] },
  { numbers: [0], ranges: [[0, 0]] },
  { numbers: [3, 1, 2, 0], ranges: [[0, 3]] },
  {
    numbers: [0, 1, 43, 42, 42],
    ranges: [
      [0, 1],
      [42, 43],
    ],
  },
])('ranges of $numbers', ({ numbers, ranges }) => {
  expect(toRanges(numbers)).toEqual(ranges);
});

test('ranges hold what went in, whatever went in', () => {
  for (let round = 0; round < 200; round += 1) {
    const numbers = new Set(Array.from({ length: round % 40 }, () => Math.floor(Math.random() * 60)));
    const ranges = toRanges(numbers);
    for (let n = -1; n <= 60; n += 1) expect(inRanges(ranges, n)).toBe(numbers.has(n));
    expect(countOf(ranges)).toBe(numbers.size);
    ranges.slice(1).forEach(([from], i) => {
      expect(from).toBeGreaterThan((ranges[i]?.[1] ?? 0) + 1);
    });
  }
});
