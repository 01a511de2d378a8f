import { describe, expect, it } from 'vitest';
import type { StoredChunk } from '../../src/console/bucket-view';
import { leapWords } from '../../src/console/recording/gap-words';
import {
  aheadOf,
  holesAcross,
  holesIn,
  landing,
  lengthOf,
  partAt,
  partsOf,
  placeAfterGap,
  placeBeforeGap,
} from '../../src/console/timeline';

function chunk(seq: number, segment: number, startMs: number | null, state: StoredChunk['state'] = 'confirmed') {
  const get = state === 'confirmed' ? { url: '', expires_at: '' } : null;
  return {
    seq,
    segment,
    size: 10,
    state,
    start_ms: startMs,
    duration_ms: startMs === null ? null : 5_000,
    get,
  } as StoredChunk;
}

/** A device was away for a minute after 10 s; after 75 s another was there at once. Chunk 4 is lost, and so is the header of part 3. */
const LIFE = [
  chunk(0, 0, 0),
  chunk(1, 0, 5_000),
  chunk(2, 1, 70_000),
  chunk(3, 2, 75_300),
  chunk(4, 2, 80_300, 'lost'),
  chunk(5, 2, 85_300),
  chunk(6, 3, 90_300, 'lost'),
  chunk(7, 3, 95_300),
  chunk(8, 4, 100_300),
];

describe('the parts of a recording', () => {
  it('lie where they were recorded; what has no header is no part', () => {
    expect(partsOf(LIFE).map(({ segment, startS, endS }) => [segment, startS, endS])).toEqual([
      [0, 0, 10],
      [1, 70, 75],
      [2, 75.3, 90.3],
      [4, 100.3, 105.3],
    ]);
  });

  it('never lie over each other', () => {
    const parts = partsOf([chunk(0, 0, 0), chunk(1, 1, 3_000)]);
    expect(parts.map(({ startS, endS }) => [startS, endS])).toEqual([
      [0, 5],
      [5, 8],
    ]);
  });

  it('follow each other where no recorder said when they were recorded', () => {
    const list = [chunk(0, 0, null), chunk(1, 0, null), chunk(2, 1, null)];
    expect(
      partsOf(
        list,
        new Map([
          [0, 12],
          [1, 3],
        ]),
      ).map(({ startS, endS }) => [startS, endS]),
    ).toEqual([
      [0, 12],
      [12, 15],
    ]);
    expect(partsOf(list).map(({ startS, endS }) => [startS, endS])).toEqual([
      [0, null],
      [null, null],
    ]);
  });

  it('are found by time', () => {
    const parts = partsOf(LIFE);
    expect([0, 9, 40, 70, 200].map((at) => partAt(parts, at)?.segment)).toEqual([0, 0, 0, 1, 4]);
    expect(partAt([], 3)).toBeNull();
  });
});

describe('holes', () => {
  const holes = holesIn(LIFE);

  it('are where nothing can be played, with their causes', () => {
    expect(holes).toEqual([
      { fromS: 10, toS: 70, cause: 'silence', missing: null },
      { fromS: 80.3, toS: 85.3, cause: 'lost', missing: [4, 4] },
      { fromS: 90.3, toS: 100.3, cause: 'lost', missing: [6, 7] },
    ]);
    expect(holesIn([chunk(0, 0, 0), chunk(1, 0, 5_000, 'granted'), chunk(2, 0, 10_000)])[0]?.cause).toBe('waiting');
    expect(holesIn([chunk(2, 1, 8_000)])).toEqual([]);
    expect(holesIn([chunk(0, 0, null), chunk(2, 0, null)])).toEqual([]);
  });

  it('are known again by a leap that was made over them, however exactly', () => {
    expect(holesAcross(holes, 9.8, 70.1)).toEqual([holes[0]]);
    expect(holesAcross(holes, 80.1, 101)).toEqual([holes[1], holes[2]]);
    expect(holesAcross(holes, 70.1, 70.6)).toEqual([holes[0]]);
    expect(holesAcross(holes, 70.5, 72)).toEqual([]);
    expect(holesAcross(holes, 72, 73)).toEqual([]);
  });

  it('are told when playing went over them', () => {
    const leap = (fromS: number, toS: number) => leapWords({ fromS, toS, holes: holesAcross(holes, fromS, toS) });
    expect(leap(10, 70)).toBe('A gap of 60 seconds at 00:00:10: no device was there. Playing went on after it.');
    expect(leap(80, 101)).toContain('A gap of 21 seconds at 00:01:20: chunk 4 is lost; chunks 6 to 7 are lost.');
    expect(leap(65, 9.5)).toBe('A gap of 60 seconds at 00:00:10: no device was there.');
    expect(leap(72, 75)).toContain('A gap of 3 seconds at 00:01:12: something is missing.');
  });

  it('are no place to come out at: before them on the way back, behind them else', () => {
    expect(landing(holes, 30, 0)).toBe(70);
    expect(landing(holes, 65, 70.5)).toBe(9.5);
    expect(landing(holes, 9, 70)).toBe(9);
    expect(landing(holes, 69.999999, 90)).toBe(70);
    expect(landing([{ fromS: 0, toS: 4, cause: 'lost', missing: [0, 0] }], 0, 20)).toBe(4);
  });
});

describe('the length', () => {
  it('is what the recorders say, and never less than was heard', () => {
    expect(lengthOf(partsOf(LIFE), { seq: 0, endS: 5 })).toBe(105.3);
    expect(lengthOf(partsOf(LIFE), { seq: 8, endS: 106 })).toBe(106);
  });

  it('is guessed by bytes where nobody says', () => {
    expect(lengthOf(partsOf([chunk(0, 0, null), chunk(1, 0, null)]), { seq: 0, endS: 7 })).toBe(14);
    expect(lengthOf([], { seq: -1, endS: 0 })).toBe(0);
  });
});

describe('what is buffered', () => {
  const ranges = (...pairs: [number, number][]) => ({
    length: pairs.length,
    start: (index: number) => pairs[index]?.[0] ?? 0,
    end: (index: number) => pairs[index]?.[1] ?? 0,
  });
  const around = ranges([0, 4.7], [5.5, 7]);

  it('counts ahead across gaps, so that it stays bounded', () => {
    expect(aheadOf(ranges([0, 10], [70, 75], [80, 140]), 4)).toBe(71);
    expect(aheadOf(ranges([0, 10]), 30)).toBe(0);
  });

  it('is left backwards a little before its end', () => {
    expect(placeBeforeGap(around, 5, 0.15)).toBeCloseTo(4.2);
    expect(placeBeforeGap(ranges([2, 2.2]), 5, 0.15)).toBe(2);
    expect(placeBeforeGap(around, 3, 0.15)).toBeNull();
  });

  it('is none where there is something, or is in a moment', () => {
    for (const now of [5.4, 5.5, 6]) expect(placeBeforeGap(around, now, 0.15)).toBeNull();
  });

  it.each([
    [1, 0.15, null],
    [4.6, 0.15, 5.5],
    [4.5, 1.5, 5.5],
    [5, 0.15, 5.5],
    [6.9, 1.5, null],
  ])('at %d s, with %d s of slack, is left for %d', (now, slack, to) => {
    expect(placeAfterGap(around, now, slack)).toBe(to);
  });
});
