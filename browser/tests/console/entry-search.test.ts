import { describe, expect, it } from 'vitest';
import { findEntry } from '../../src/console/entry-search';
import type { MediaHeader } from '../../src/console/media-header';
import type { Playable } from '../../src/console/playback-plan';
import type { Part } from '../../src/console/timeline';

const WEBM: MediaHeader = { bytes: new Uint8Array(), length: 0, type: '', isWebm: true, picture: 1 };
const CHUNK_MS = 5_000;

/** A chunk of WebM with one cluster a second; those whose seq is in `whole` begin with a whole picture. */
function webm(seq: number, whole: ReadonlySet<number>): Uint8Array {
  const clusters = [0, 1, 2, 3, 4].flatMap((second) => {
    const ms = seq * CHUNK_MS + second * 1_000;
    const isWhole = second === 0 && whole.has(seq);
    const block = [0xa3, 0x85, 0x81, 0, 0, isWhole ? 0x80 : 0, 9];
    return [0x1f, 0x43, 0xb6, 0x75, 0xff, 0xe7, 0x84, 0, ms >> 16, (ms >> 8) & 0xff, ms & 0xff, ...block];
  });
  return Uint8Array.from(clusters);
}

function search(told: boolean, count: number, whole: readonly number[]) {
  const chunks = Array.from({ length: count }, (_, seq) => {
    const times = told
      ? { start_ms: 60_000 + seq * CHUNK_MS, duration_ms: CHUNK_MS }
      : { start_ms: null, duration_ms: null };
    return { seq, segment: 1, size: 1, ...times } as Playable;
  });
  const part: Part = { segment: 1, chunks, startS: 60, endS: 60 + (count * CHUNK_MS) / 1000 };
  const looked: number[] = [];
  const look = async ({ seq }: Playable) => {
    looked.push(seq);
    return webm(seq, new Set(whole));
  };
  return { part, looked, look };
}

describe('a seek', () => {
  it('fetches one chunk where that has what is wanted', async () => {
    const { part, looked, look } = search(true, 100, [40, 50, 60]);
    expect(await findEntry(part, WEBM, 252_000, look)).toMatchObject({ chunk: { seq: 50 }, offset: 0 });
    expect(looked).toEqual([50]);
  });

  it('goes back to the last whole picture, chunk by chunk', async () => {
    const { part, looked, look } = search(true, 100, [0, 40, 60]);
    expect((await findEntry(part, WEBM, 212_000, look))?.chunk.seq).toBe(40);
    expect(looked).toEqual([42, 41, 40]);
  });

  it('finds its place without times, going on from a guess', async () => {
    const every = Array.from({ length: 100 }, (_, seq) => seq);
    const { part, looked, look } = search(false, 100, every);
    expect((await findEntry({ ...part, endS: 600 }, WEBM, 222_000, look))?.chunk.seq).toBe(44);
    expect(looked).toEqual([41, 42, 43, 44, 45]);
    expect((await findEntry({ ...part, endS: 540 }, WEBM, 222_000, look))?.chunk.seq).toBe(44);
  });

  it('gives up after a few looks, or when nobody wants it any more', async () => {
    const { part, looked, look } = search(true, 100, [0]);
    expect(await findEntry(part, WEBM, 252_000, look)).toBeNull();
    expect(looked.length).toBe(8);
    expect(await findEntry(part, WEBM, 252_000, async () => null)).toBeNull();
  });

  it('begins a little earlier in an MP4, at a fragment', async () => {
    const { part } = search(true, 10, []);
    const mp4 = Uint8Array.from([7, 0, 0, 0, 9, ...new TextEncoder().encode('moof')]);
    const found = await findEntry(part, { ...WEBM, isWebm: false }, 26_000, async () => mp4);
    expect(found).toMatchObject({ chunk: { seq: 3 }, offset: 1 });
    expect(await findEntry(part, { ...WEBM, isWebm: false }, 6_000, async () => mp4)).toBeNull();
  });
});
