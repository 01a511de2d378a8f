import { describe, expect, it } from 'vitest';
import type { RecordingPage, StoredRecording } from '../../src/console/bucket-view';
import { renewed } from '../../src/console/library/use-recordings';
import { hasLengths, isGoing, mergeRows } from '../../src/console/library-rows';
import { chunk, view } from './views';

const chunks = Array.from({ length: 10 }, (_, seq) => chunk(seq, 'on_disk'));

function stored(part: Partial<StoredRecording> = {}): StoredRecording {
  return {
    id: '0193f0a0-0000-7000-8000-000000000001',
    state: 'complete',
    mime_type: 'video/webm',
    title: 'Room 4',
    recorder_id: '',
    created_at: '2023-11-14T22:13:20Z',
    completed_at: null,
    received_chunks: 10,
    received_bytes: 10_000_000,
    confirmed_bytes: 10_000_000,
    chunk_count: 10,
    total_bytes: 10_000_000,
    confirmed_chunks: 10,
    missing_chunks: 0,
    lost_chunks: 0,
    duration_ms: null,
    deletion: null,
    share_id: 'q2mX0v1uYH3l8r5d',
    share: { shared: true, expires_at: null },
    ...part,
  };
}

const deletion = (failures: number) => ({
  cause: 'owner' as const,
  requested_at: '2026-01-01T00:00:00Z',
  failures,
});

describe('the library', () => {
  it('tells how long a recording lasts as whoever knows more of it', () => {
    const lengths = (duration_ms: number | null, durationMs?: number) => {
      const here = durationMs === undefined ? [] : [{ ...view(chunks, 10), durationMs }];
      return mergeRows([stored({ duration_ms })], here)[0]?.lengthMs;
    };
    expect(lengths(65_000)).toBe(65_000);
    expect(lengths(65_000, 70_000)).toBe(70_000);
    expect(lengths(65_000, 0)).toBe(65_000);
    expect(lengths(null)).toBe(null);
  });

  it('calls a complete and confirmed recording safe', () => {
    expect(mergeRows([stored()], [])[0]).toMatchObject({ safe: 1, state: { tone: 'safe', words: 'Safe' } });
  });

  it('lists what only this device has', () => {
    const [row] = mergeRows([], [view(chunks, 4, { state: 'sending' })]);
    expect(row).toMatchObject({ safe: 0.4, lengthMs: 50_000, state: { words: '6 chunks only on this device' } });
  });

  it('lets this device speak for what it still holds', () => {
    const rows = mergeRows([stored({ state: 'open', confirmed_bytes: 4_000_000 })], [view(chunks, 4)]);
    expect(rows).toHaveLength(1);
    expect(rows[0]?.state).toMatchObject({ words: 'Recording', recording: true });
  });

  it.each([
    [{ lost_chunks: 2 }, 'alert', '2 chunks lost'],
    [{ missing_chunks: 1 }, 'alert', '1 chunk to be sent again'],
    [{ confirmed_chunks: 7 }, 'hold', '3 chunks still to be confirmed'],
    [{ state: 'open' as const }, 'hold', 'Open on another device'],
    [{ state: 'expired' as const, chunk_count: null }, 'hold', 'Paused for more than 24 hours'],
    [{ state: 'deleting' as const }, 'plain', 'Deleting…'],
    [{ state: 'deleting' as const, deletion: deletion(1) }, 'alert', 'Deleting… 1 try failed'],
    [{ state: 'deleting' as const, deletion: deletion(12) }, 'alert', 'Deleting… 12 tries failed'],
  ])('%o is %s: %s', (part, tone, words) => {
    expect(mergeRows([stored(part)], [])[0]?.state).toMatchObject({ tone, words });
  });

  it.each([
    ['undoable', 'About to be deleted'],
    ['sending', 'Deleting…'],
    ['agreed', 'Deleting…'],
    ['failed', 'Not deleted'],
  ] as const)('says of a deletion that is %s: %s', (phase, words) => {
    const one = stored();
    const wish = { id: one.id, title: '', phase, dueAt: 0, problem: null };
    expect(mergeRows([one], [], [wish])[0]).toMatchObject({ state: { words }, wish, deleting: false });
    const cleared = stored({ state: 'deleting', deletion: deletion(2) });
    expect(mergeRows([cleared], [], [wish])[0]).toMatchObject({
      state: { words: 'Deleting… 2 tries failed' },
      deleting: true,
    });
  });

  it.each([
    [undefined, false],
    ['undoable', false],
    ['failed', false],
    ['sending', true],
    ['agreed', true],
  ] as const)('with a deletion that is %s calls nothing of it safe any more: %s', (phase, going) => {
    const wish = phase && { id: '', title: '', phase, dueAt: 0, problem: null };
    expect(isGoing({ deleting: false, wish })).toBe(going);
    expect(isGoing({ deleting: true, wish })).toBe(true);
  });

  it('has lengths only where this device knows one', () => {
    const one = stored();
    expect(hasLengths(mergeRows([one], []))).toBe(false);
    expect(hasLengths(mergeRows([one], [view(chunks, 4)]))).toBe(true);
  });

  it('forgets what is gone from the newest page, and keeps what is older', () => {
    const at = (id: string, day: number) => stored({ id, created_at: `2026-01-0${day}T00:00:00Z` });
    const before = [at('d', 4), at('c', 3), at('b', 2), at('a', 1)];
    const ids = (page: RecordingPage) =>
      renewed(before, page)
        .map(({ id }) => id)
        .sort();
    expect(ids({ recordings: [at('d', 4), at('b', 2)], next_cursor: 'more' })).toEqual(['a', 'b', 'd']);
    expect(ids({ recordings: [at('d', 4)], next_cursor: null })).toEqual(['d']);
    expect(ids({ recordings: [], next_cursor: null })).toEqual([]);
    expect(ids({ recordings: [at('e', 5), at('d', 4)], next_cursor: 'more' })).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('puts the newest first', () => {
    const rows = mergeRows(
      [
        stored({ id: 'old', created_at: '2020-01-01T00:00:00Z' }),
        stored({ id: 'new', created_at: '2026-01-01T00:00:00Z' }),
      ],
      [],
    );
    expect(rows.map(({ id }) => id)).toEqual(['new', 'old']);
  });
});
