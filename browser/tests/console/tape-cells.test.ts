import { describe, expect, it } from 'vitest';
import { layTape, splitRun, stateCounts } from '../../src/console/tape-cells';
import { chunk } from './views';

const run = (count: number) => Array.from({ length: count }, (_, seq) => chunk(seq, 'released'));
const covered = (cells: readonly { first: number; last: number }[]) => cells.map(({ first, last }) => [first, last]);

describe('the tape', () => {
  it('gives every chunk its own cell while they fit', () => {
    const { older, latest } = layTape(run(120));
    expect(older).toEqual([]);
    expect(latest).toHaveLength(120);
  });

  it.each([121, 3_000, 17_280, 100_000])('never draws more than about 120 cells (%i chunks)', (count) => {
    const { older, latest } = layTape(run(count));
    expect(older.length + latest.length).toBeLessThanOrEqual(121);
    expect(latest).toHaveLength(48);
  });

  it('covers every chunk once, in order', () => {
    const { older, latest } = layTape(run(3_000));
    let next = 0;
    for (const [first, last] of covered([...older, ...latest])) {
      expect(first).toBe(next);
      next = (last ?? 0) + 1;
    }
    expect(next).toBe(3_000);
  });

  it('does not move older cells as chunks are added', () => {
    const before = covered(layTape(run(3_000)).older);
    const after = covered(layTape(run(3_010)).older);
    expect(after.slice(0, before.length - 1)).toEqual(before.slice(0, -1));
  });

  it('shows of a group what needs attention first', () => {
    const chunks = run(3_000);
    chunks[70] = chunk(70, 'resending');
    chunks[71] = chunk(71, 'on_disk');
    expect(layTape(chunks).older.find(({ first, last }) => first <= 70 && 70 <= last)?.state).toBe('resending');
  });

  it('marks where a new part begins', () => {
    const chunks = [
      chunk(0, 'acked'),
      chunk(1, 'acked'),
      chunk(2, 'acked', { segment: 1 }),
      chunk(3, 'acked', { segment: 1 }),
    ];
    expect(layTape(chunks).latest.map(({ startsSegment }) => startsSegment)).toEqual([false, false, true, false]);
  });

  it('tells for how long no device gave anything before a new part', () => {
    const chunks = [
      chunk(0, 'acked'),
      chunk(1, 'acked', { segment: 1, startMs: 5_400 }),
      chunk(2, 'acked', { segment: 2, startMs: 42_400 }),
      chunk(4, 'acked', { segment: 3, startMs: 90_000 }),
    ];
    expect(layTape(chunks).latest.map(({ silenceMs }) => silenceMs)).toEqual([0, 0, 32_000, 0]);
  });

  it('takes a group apart down to its chunks', () => {
    expect(splitRun(run(60))).toHaveLength(60);
    const parts = splitRun(run(720));
    expect(parts.length).toBeLessThanOrEqual(72);
    expect(parts.at(-1)?.last).toBe(719);
  });

  it('counts states', () => {
    expect(stateCounts([chunk(0, 'acked'), chunk(1, 'acked'), chunk(2, 'writing')])).toEqual({ acked: 2, writing: 1 });
  });
});
