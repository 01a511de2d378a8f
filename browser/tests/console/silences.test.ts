import { expect, test } from 'vitest';
import type { StoredChunk } from '../../src/console/bucket-view';
import { silencesIn } from '../../src/console/playback-plan';

const chunk = (seq: number, segment: number, start_ms: number | null, duration_ms: number | null) =>
  ({ seq, segment, start_ms, duration_ms }) as StoredChunk;

test('time without a device is told between two parts, and nowhere else', () => {
  const list = [
    chunk(0, 0, 0, 5_000),
    chunk(1, 0, 9_000, 1_000), // The same part: approximate times.
    chunk(2, 1, 10_200, 5_000), // A device was changed.
    chunk(3, 2, 75_000, 5_000),
    chunk(5, 3, 200_000, 5_000), // What lies between is not known.
    chunk(6, 4, null, null),
  ];
  expect(silencesIn(list)).toEqual([{ fromMs: 15_200, toMs: 75_000 }]);
});
