import { describe, expect, it } from 'vitest';
import { children, unsigned } from '../../src/console/ebml';
import { LongClusters, type Piece } from '../../src/console/long-clusters';
import { blockIn } from '../../src/console/webm';

const PICTURE = 1;
const SOUND = 2;
const CLUSTER = 0x1f43b675;

const element = (id: number[], content: number[]) => [
  ...id,
  0x40 | (content.length >> 8),
  content.length & 0xff,
  ...content,
];
const block = (relative: number, { track = PICTURE, whole = false } = {}) =>
  element([0xa3], [0x80 | track, (relative >> 8) & 0xff, relative & 0xff, whole ? 0x80 : 0, 7, 8, 9]);
const sound = (relative: number) => block(relative, { track: SOUND });
const whole = (relative: number) => block(relative, { whole: true });
const timestamp = (ms: number) => [0xe7, 0x84, ms >> 24, (ms >> 16) & 0xff, (ms >> 8) & 0xff, ms & 0xff];
const UNKNOWN_SIZE = [0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
const cluster = (ms: number, ...blocks: number[][]) => [
  ...[0x1f, 0x43, 0xb6, 0x75, ...UNKNOWN_SIZE],
  ...timestamp(ms),
  ...blocks.flat(),
];

/** What is in it, as `cluster 0`, `picture 40 for 20` and `sound 40`; `anew` where the decoder is set up before. */
function told(pieces: readonly Piece[]): string[] {
  const words: string[] = [];
  let clusterMs = 0;
  for (const { bytes, isAnew } of pieces) {
    if (isAnew) words.push('anew');
    for (let at = 0; at < bytes.length; ) {
      const [one] = children(bytes, { body: at, end: bytes.length });
      if (!one) throw new Error(`no element at ${at}`);
      at = one.id === CLUSTER ? one.body : one.end;
      if (one.id === 0xe7) {
        clusterMs = unsigned(bytes, one);
        words.push(`cluster ${clusterMs}`);
      }
      const found = blockIn(bytes, one);
      if (!found) continue;
      expect([...bytes.subarray(found.timeAt + 3, found.end)]).toEqual([7, 8, 9]);
      const length = found.isInGroup ? [...children(bytes, one)].find(({ id }) => id === 0x9b) : null;
      const lasts = length ? ` for ${unsigned(bytes, length)}` : '';
      const name = found.track === SOUND ? 'sound' : found.isWhole ? 'whole picture' : 'picture';
      words.push(`${name} ${clusterMs + found.relativeMs}${lasts}`);
    }
  }
  return words;
}

function through(bytes: number[], step = bytes.length): string[] {
  const clusters = new LongClusters(PICTURE);
  const pieces: Piece[] = [];
  for (let at = 0; at < bytes.length; at += step)
    pieces.push(...clusters.push(Uint8Array.from(bytes.slice(at, at + step))));
  return told([...pieces, ...clusters.end()]);
}

/** As Firefox and Chromium write it: a cluster begins before the last one's picture ends. */
const FILM = [
  ...cluster(0, whole(0), sound(6), block(40), sound(26)),
  ...cluster(66, sound(0), block(14), sound(20)),
  ...cluster(1080, block(0), sound(6)),
];
const AS_ONE = [
  ...['cluster 0', 'whole picture 0 for 40', 'sound 6', 'picture 40 for 40', 'sound 26'],
  ...['sound 66', 'picture 80 for 1000', 'sound 86', 'picture 1080', 'sound 1086'],
];

describe('clusters', () => {
  it('become one, each picture with the time until the next as its length', () => {
    expect(through(FILM)).toEqual(AS_ONE);
  });

  it('become the same wherever the bytes are cut', () => {
    for (let step = 1; step < 60; step += 1) expect(through(FILM, step)).toEqual(AS_ONE);
  });

  it('begin anew with the first whole picture after ten seconds', () => {
    const film = [
      ...cluster(0, whole(0), sound(6)),
      ...cluster(9_000, whole(0)),
      ...cluster(12_000, block(0), sound(1)),
      ...cluster(12_040, whole(0), sound(0)),
    ];
    expect(through(film)).toEqual([
      ...['cluster 0', 'whole picture 0 for 9000', 'sound 6', 'whole picture 9000 for 3000', 'picture 12000 for 40'],
      ...['sound 12001', 'anew', 'cluster 12040', 'whole picture 12040', 'sound 12040'],
    ]);
  });

  it('begin anew where a block would be too far from theirs', () => {
    const film = [...cluster(5, whole(0)), ...cluster(32_772, block(0)), ...cluster(32_773, block(0), block(40))];
    expect(through(film)).toEqual([
      ...['cluster 5', 'whole picture 5 for 32767', 'picture 32772 for 1'],
      ...['anew', 'cluster 32773', 'picture 32773 for 40', 'picture 32813'],
    ]);
  });

  it('of a film with sizes, and what stands between them, are read as well', () => {
    const sizedCluster = (ms: number, ...blocks: number[][]) =>
      element([0x1f, 0x43, 0xb6, 0x75], [...timestamp(ms), ...element([0xab], [1, 2]), ...blocks.flat()]);
    const cues = element([0x1c, 0x53, 0xbb, 0x6b], [1, 2, 3, 4]);
    const film = [...sizedCluster(0, whole(0)), ...cues, ...sizedCluster(40, block(0))];
    expect(through(film, 5)).toEqual(['cluster 0', 'whole picture 0 for 40', 'picture 40']);
  });

  it('keep the groups that they have', () => {
    const group = element([0xa0], [...element([0xa1], [0x81, 0, 40, 0, 7, 8, 9]), 0x9b, 0x81, 33, 0xfb, 0x81, 0xff]);
    const film = [...cluster(100, whole(0), group), ...cluster(200, group)];
    expect(through(film)).toEqual([
      'cluster 100',
      'whole picture 100 for 40',
      'picture 140 for 33',
      'picture 240 for 33',
    ]);
  });
});

describe('the last picture', () => {
  it('is held back, and what came after it, until the next one comes', () => {
    const clusters = new LongClusters(PICTURE);
    expect(told(clusters.push(Uint8Array.from(cluster(0, whole(0), sound(6)))))).toEqual([]);
    const next = clusters.push(Uint8Array.from(block(40)));
    expect(told(next)).toEqual(['cluster 0', 'whole picture 0 for 40', 'sound 6']);
  });

  it('keeps sound waiting for no longer than five seconds', () => {
    const clusters = new LongClusters(PICTURE);
    const still = cluster(0, whole(0), sound(6), sound(5_000), sound(5_020));
    expect(told(clusters.push(Uint8Array.from(still)))).toEqual([
      ...['cluster 0', 'whole picture 0 for 5000', 'sound 6', 'sound 5000', 'sound 5020'],
    ]);
  });
});

it('passes what is no WebM as it is', () => {
  const clusters = new LongClusters(PICTURE);
  const noise = Uint8Array.from({ length: 40 }, (_, index) => (index < 20 ? 0 : index));
  expect(clusters.push(noise.subarray(0, 8))).toEqual([]);
  const passed = [...clusters.push(noise.subarray(8, 30)), ...clusters.push(noise.subarray(30)), ...clusters.end()];
  expect(passed.flatMap(({ bytes }) => [...bytes])).toEqual([...noise]);
});
