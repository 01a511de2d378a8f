import { describe, expect, it } from 'vitest';
import type { StoredRecording } from '../../src/console/bucket-view';
import { mergeRows } from '../../src/console/library-rows';
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
    ...part,
  };
}

describe('the library', () => {
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
    [{ state: 'deleting' as const }, 'plain', 'Being deleted'],
  ])('%o is %s: %s', (part, tone, words) => {
    expect(mergeRows([stored(part)], [])[0]?.state).toMatchObject({ tone, words });
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
