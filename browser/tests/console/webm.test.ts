import { describe, expect, it } from 'vitest';
import { lastClusterBefore, mp4Fragment, placeAfterGap } from '../../src/console/playback';
import { codecsIn, firstCluster, lastBlockTime } from '../../src/console/webm';

const bytes = (...parts: (number | number[])[]) => Uint8Array.from(parts.flat());
const UNKNOWN_SIZE = [0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
const timestamp = (ms: number) => [0xe7, 0x82, ms >> 8, ms & 0xff];
const block = (relative: number, payload = [9, 9, 9]) => [
  0xa3,
  0x84 + payload.length,
  0x81,
  relative >> 8,
  relative & 0xff,
  0,
  ...payload,
];
const cluster = (ms: number, ...blocks: number[][]) => [
  0x1f,
  0x43,
  0xb6,
  0x75,
  ...UNKNOWN_SIZE,
  ...timestamp(ms),
  ...blocks.flat(),
];

describe('clusters', () => {
  it('are found behind bytes that belong to an earlier one', () => {
    expect(firstCluster(bytes([0x1f, 0x43, 7], cluster(1500)))).toEqual({ offset: 3, timeMs: 1500 });
  });

  it('are not seen where the four bytes stand by chance', () => {
    expect(firstCluster(bytes([0x1f, 0x43, 0xb6, 0x75, 0x81, 0x00, 1, 2, 3]))).toBeNull();
    expect(firstCluster(bytes([0x1f, 0x43, 0xb6, 0x75]))).toBeNull();
  });

  it('are chosen by time', () => {
    const data = bytes(cluster(0, block(10)), cluster(1000), cluster(2000));
    expect(lastClusterBefore(data, 1700)).toMatchObject({ hasLater: true });
    expect(lastClusterBefore(data, 9000)).toMatchObject({ hasLater: false });
    expect(lastClusterBefore(bytes(cluster(1000)), 500)).toBeNull();
  });
});

describe('the last block', () => {
  it('tells when its run ends', () => {
    expect(lastBlockTime(bytes(cluster(0, block(0)), cluster(1000, block(0), block(33), block(66))))).toBe(1066);
  });

  it('is the last whole one where the bytes are cut', () => {
    const data = bytes(cluster(1000, block(0), block(33)));
    expect(lastBlockTime(data.subarray(0, data.length - 8))).toBeLessThanOrEqual(1033);
  });

  it('is unknown without a cluster', () => expect(lastBlockTime(bytes([1, 2, 3]))).toBeNull());
});

it('reads codecs from a header', () => {
  expect(codecsIn(new TextEncoder().encode('..V_VP8..A_OPUS..'))).toEqual(['vp8', 'opus']);
});

it('finds the first fragment of an MP4', () => {
  const data = bytes([1, 2, 3, 0, 0, 0, 16], [...new TextEncoder().encode('moof')], [5]);
  expect(mp4Fragment(data)?.length).toBe(9);
  expect(mp4Fragment(bytes([1, 2, 3, 4, 5]))).toBeNull();
});

describe('a gap', () => {
  const ranges = (...pairs: [number, number][]) => ({
    length: pairs.length,
    start: (index: number) => pairs[index]?.[0] ?? 0,
    end: (index: number) => pairs[index]?.[1] ?? 0,
  });
  const around = ranges([0, 4.7], [5.5, 7]);

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
