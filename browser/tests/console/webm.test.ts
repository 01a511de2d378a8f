import { describe, expect, it } from 'vitest';
import { headerOf, mediaStart } from '../../src/console/media-header';
import { entryBefore, firstCluster, lastBlockTime, tracksIn, withPictureLength } from '../../src/console/webm';

const bytes = (...parts: (number | number[])[]) => Uint8Array.from(parts.flat());
const UNKNOWN_SIZE = [0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
const timestamp = (ms: number) => [0xe7, 0x82, ms >> 8, ms & 0xff];
const PICTURE = 1;
const SOUND = 2;
const block = (relative: number, { track = PICTURE, whole = true } = {}) => [
  ...[0xa3, 0x87, 0x80 | track, (relative >> 8) & 0xff, relative & 0xff, whole ? 0x80 : 0],
  ...[9, 9, 9],
];
const element = (id: number[], content: number[]) => [
  ...id,
  0x40 | (content.length >> 8),
  content.length & 0xff,
  ...content,
];
const text = (words: string) => [...new TextEncoder().encode(words)];
const entry = (number: number, type: number, codec: string) =>
  element([0xae], [0xd7, 0x81, number, 0x83, 0x81, type, ...element([0x86], text(codec))]);
const header = (...entries: number[][]) => [
  ...element([0x1a, 0x45, 0xdf, 0xa3], [0x42, 0x86, 0x81, 1]),
  ...[0x18, 0x53, 0x80, 0x67, ...UNKNOWN_SIZE],
  ...element([0x15, 0x49, 0xa9, 0x66], [0x2a, 0xd7, 0xb1, 0x83, 0x0f, 0x42, 0x40]),
  ...element([0x16, 0x54, 0xae, 0x6b], entries.flat()),
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
});

describe('where decoding can begin', () => {
  const data = bytes(
    cluster(0, block(0), block(10, { whole: false })),
    cluster(1000, block(0, { track: SOUND }), block(5, { whole: false })),
    cluster(2000, block(0, { track: SOUND }), block(40), block(80, { whole: false })),
  );
  const timeOf = (found: { offset: number } | null) => found && firstCluster(data, found.offset)?.timeMs;

  it('is the last whole picture before a time, not the last cluster', () => {
    expect(timeOf(entryBefore(data, 1700, PICTURE))).toBe(0);
    expect(timeOf(entryBefore(data, 2039, PICTURE))).toBe(0);
    expect(timeOf(entryBefore(data, 2040, PICTURE))).toBe(2000);
  });

  it('is any sound where there is no picture', () => {
    expect(timeOf(entryBefore(data, 1700, null))).toBe(1000);
    // Firefox calls none of it whole.
    const sound = bytes(cluster(0, block(0, { whole: false })), cluster(1000, block(0, { whole: false })));
    expect(entryBefore(sound, 1700, null)?.timeMs).toBe(1000);
  });

  it('says whether a later one is in the same bytes', () => {
    expect(entryBefore(data, 1700, PICTURE)?.hasLater).toBe(true);
    expect(entryBefore(data, 9000, PICTURE)?.hasLater).toBe(false);
    expect(entryBefore(bytes(cluster(1000, block(0))), 500, PICTURE)).toBeNull();
  });

  it('is not in a block that is cut off', () => {
    const cut = bytes(cluster(0, block(0)), cluster(1000, block(0)));
    expect(entryBefore(cut.subarray(0, cut.length - 1), 5000, PICTURE)).toEqual({
      offset: 0,
      timeMs: 0,
      hasLater: false,
    });
  });

  it('is never in a picture that needs others, in a group either', () => {
    const group = (content: number[]) => element([0xa0], content);
    const inner = [0xa1, 0x87, 0x81, 0, 0, 0, 9, 9, 9];
    const grouped = bytes(cluster(0, group(inner)), cluster(1000, group([...inner, 0xfb, 0x81, 1])));
    expect(entryBefore(grouped, 5000, PICTURE)).toEqual({ offset: 0, timeMs: 0, hasLater: false });
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

describe('how long a picture lasts', () => {
  const before = bytes(header(entry(1, 1, 'V_VP8'), entry(2, 2, 'A_OPUS')));
  const after = withPictureLength(before, 600);

  it('is told in the header, for the picture alone', () => {
    const told = [0x23, 0xe3, 0x83, 0x84, 0x23, 0xc3, 0x46, 0x00];
    expect(Buffer.from(after).indexOf(Buffer.from(told))).toBeGreaterThan(0);
    expect(Buffer.from(after).lastIndexOf(Buffer.from([0x23, 0xe3, 0x83]))).toBe(
      Buffer.from(after).indexOf(Buffer.from(told)),
    );
    expect(tracksIn(after)).toEqual(tracksIn(before));
    expect(withPictureLength(after, 600)).toEqual(after);
  });

  it('is not touched in what is no recording of a browser', () => {
    const sound = bytes(header(entry(1, 2, 'A_OPUS')));
    expect(tracksIn(withPictureLength(sound, 600))).toEqual(tracksIn(sound));
    const file = before.slice();
    file.set([0x08, 0, 0, 0, 0, 0, 0, 99], before.indexOf(0x67, 5) + 1);
    expect(withPictureLength(file, 600)).toEqual(file);
  });
});

describe('a header', () => {
  const both = bytes(header(entry(1, 1, 'V_VP8'), entry(2, 2, 'A_OPUS')), cluster(0, block(0)));

  it('names its tracks', () => {
    expect(tracksIn(both)).toEqual([
      { number: 1, kind: 'video', codec: 'vp8' },
      { number: 2, kind: 'audio', codec: 'opus' },
    ]);
    expect(tracksIn(bytes([1, 2, 3, 4]))).toEqual([]);
  });

  it('tells the type, whatever the recording says of itself', () => {
    expect(headerOf(both, 'video/webm')).toMatchObject({ type: 'video/webm;codecs="vp8,opus"', picture: 1 });
    const turned = bytes(header(entry(1, 2, 'A_OPUS'), entry(2, 1, 'V_VP8')), cluster(0));
    expect(headerOf(turned, 'video/webm')).toMatchObject({ type: 'video/webm;codecs="vp8,opus"', picture: 2 });
    const sound = bytes(header(entry(1, 2, 'A_OPUS')), cluster(0));
    expect(headerOf(sound, 'video/webm;codecs=vp8,opus')).toMatchObject({
      type: 'audio/webm;codecs="opus"',
      picture: null,
    });
    const av1 = bytes(header(entry(1, 1, 'V_AV1')), cluster(0));
    expect(headerOf(av1, 'video/webm;codecs=av01.0.04M.08')?.type).toBe('video/webm;codecs=av01.0.04M.08');
  });

  it('ends where the first cluster begins', () => {
    expect(headerOf(both, '')?.length).toBe(mediaStart(both));
    expect(headerOf(both.subarray(0, 40), '')).toBeNull();
  });
});

it('finds the first fragment of an MP4', () => {
  const data = bytes([1, 2, 3, 0, 0, 0, 16], text('moof'), [5]);
  expect(mediaStart(data)).toBe(3);
  expect(headerOf(data, 'video/mp4')).toMatchObject({ type: 'video/mp4', isWebm: false });
  expect(mediaStart(bytes([1, 2, 3, 4, 5]))).toBeNull();
});
