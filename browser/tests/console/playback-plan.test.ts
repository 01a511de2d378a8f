import { describe, expect, it } from 'vitest';
import type { StoredChunk } from '../../src/console/bucket-view';
import { gapsIn, headlessSegments, nextAfter, playableOf } from '../../src/console/playback-plan';
import { storedTape } from '../../src/console/stored-tape';
import { chunk } from './views';

function stored(seq: number, state: StoredChunk['state'] = 'confirmed', segment = 0): StoredChunk {
  const get = state === 'confirmed' || state === 'acked' ? { url: `/${seq}`, expires_at: '' } : null;
  const unknown = { acked_at: null, confirmed_at: null, start_ms: null, duration_ms: null };
  return { seq, segment, size: 10, sha256: 'a', state, key: `k${seq}`, ...unknown, get };
}

describe('what can be played', () => {
  it('is what the bucket holds, in order', () => {
    const playable = playableOf([stored(0), stored(1, 'lost'), stored(2)]);
    expect(playable.map(({ seq }) => seq)).toEqual([0, 2]);
    expect(nextAfter(playable, 0)?.seq).toBe(2);
    expect(nextAfter(playable, 2)).toBeNull();
  });

  it('names its gaps and why', () => {
    expect(gapsIn([stored(0), stored(1, 'lost'), stored(2), stored(5)])).toEqual([
      { first: 1, last: 1, cause: 'lost' },
      { first: 3, last: 4, cause: 'waiting' },
    ]);
    expect(gapsIn([stored(0), stored(1), stored(2, 'granted')])).toEqual([]);
  });

  it('leaves out parts whose header is not there', () => {
    expect([...headlessSegments([stored(0), stored(1, 'confirmed', 1)])]).toEqual([]);
    expect([...headlessSegments([stored(0), stored(1, 'lost', 1), stored(2, 'confirmed', 1)])]).toEqual([1]);
    expect([...headlessSegments([stored(3)])]).toEqual([0]);
  });
});

describe('the tape of a recording', () => {
  it('shows what neither knows as not arrived', () => {
    const tape = storedTape([stored(0), stored(2, 'missing')], [], 4);
    expect(tape.map(({ state }) => state)).toEqual(['confirmed', 'absent', 'missing', 'absent']);
  });

  it('lets this device speak for its chunks, and keeps their keys', () => {
    const tape = storedTape([stored(0)], [chunk(0, 'released'), chunk(1, 'on_disk')], null);
    expect(tape.map(({ state, key }) => [state, key])).toEqual([
      ['released', 'k0'],
      ['on_disk', undefined],
    ]);
  });
});
