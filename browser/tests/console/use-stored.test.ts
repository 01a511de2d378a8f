import { describe, expect, it } from 'vitest';
import type { StoredStatus } from '../../src/console/bucket-view';
import { isSettled } from '../../src/console/recording/use-stored';

const SETTLED: StoredStatus = {
  id: '0193f0a0-0000-7000-8000-000000000001',
  state: 'complete',
  mime_type: 'video/webm',
  title: 'Room 4',
  recorder_id: '',
  created_at: '2026-01-01T00:00:00Z',
  completed_at: '2026-01-01T00:01:00Z',
  received_chunks: 2,
  received_bytes: 20,
  confirmed_bytes: 20,
  chunk_count: 2,
  total_bytes: 20,
  complete: true,
  open_tickets: 0,
  duration_ms: null,
  received: [[0, 1]],
  confirmed: [[0, 1]],
  missing: [],
  lost: [],
  deletion: null,
  share_id: 'q2mX0v1uYH3l8r5d',
  share: { shared: true, expires_at: null },
};

describe('a stored recording', () => {
  it('has settled once all of it is confirmed', () => {
    expect(isSettled(SETTLED)).toBe(true);
  });

  it.each<[string, Partial<StoredStatus>]>([
    ['is still open', { complete: false, state: 'open' }],
    ['is not confirmed to the end', { confirmed_bytes: 10 }],
    ['misses a chunk', { missing: [[1, 1]] }],
    ['is asked for again', { open_tickets: 1 }],
    ['is being deleted: it is shown as that at once', { state: 'deleting' }],
  ])('has not while it %s', (_, part) => {
    expect(isSettled({ ...SETTLED, ...part })).toBe(false);
  });
});
