import { expect, test } from 'vitest';
import {
  AHEAD_CHUNKS,
  chunkCountOf,
  type FeedView,
  fileTypeOf,
  HEADROOM_BYTES,
  nextStep,
  placeOf,
} from '../../src/recorder/file-plan';

const CHUNK = 8 * 1024 * 1024;
const facts = (size: number) => ({ name: 'a', size, lastModified: 0, chunkBytes: CHUNK });

test.each([
  [1, 1],
  [CHUNK, 1],
  [CHUNK + 1, 2],
  [3 * CHUNK, 3],
])('a file of %i bytes has %i chunks, which cover it', (size, count) => {
  expect(chunkCountOf(facts(size))).toBe(count);
  const places = Array.from({ length: count }, (_, seq) => placeOf(facts(size), seq));
  expect(places[0]?.start).toBe(0);
  expect(places.at(-1)?.end).toBe(size);
  for (const [index, { start }] of places.entries()) if (index > 0) expect(start).toBe(places[index - 1]?.end);
});

const roomy: FeedView = {
  paused: false,
  recording: false,
  unsent: 0,
  heldBytes: 0,
  copyBytes: 4 * CHUNK,
  size: CHUNK,
  roomBytes: HEADROOM_BYTES + 10 * CHUNK,
};

test.each<[string, Partial<FeedView>, string]>([
  ['with room', {}, 'hold'],
  ['with room, far ahead', { unsent: 100 }, 'hold'],
  ['with room, paused', { paused: true }, 'hold'],
  ['up to the last byte that may be copied', { heldBytes: 3 * CHUNK }, 'hold'],
  ['beyond what may be copied', { heldBytes: 3 * CHUNK + 1 }, 'seal'],
  ['with only the room that recordings need', { roomBytes: HEADROOM_BYTES }, 'seal'],
  ['with room not told', { roomBytes: null }, 'seal'],
  ['beside a recording', { recording: true }, 'seal'],
  ['not copied, far ahead', { recording: true, unsent: AHEAD_CHUNKS }, 'wait'],
  ['not copied, paused', { recording: true, paused: true }, 'wait'],
])('%s', (_, part, step) => {
  expect(nextStep({ ...roomy, ...part })).toBe(step);
});

test.each([
  ['film.webm', '', null, 'video/webm'],
  ['FILM.MKV', 'application/octet-stream', null, 'video/x-matroska'],
  ['a.m4a', 'audio/x-m4a', null, 'audio/mp4'],
  ['a.mp4', 'video/mp4', null, 'video/mp4'],
  ['a', 'video/webm;codecs=vp9,opus', null, 'video/webm;codecs=vp9,opus'],
  ['a', '', 'audio/ogg', 'audio/ogg'],
])('%s of the type “%s”, wanted as %s, is %s', (name, type, wanted, expected) => {
  expect(fileTypeOf({ name, type }, wanted)).toBe(expected);
});

test.each([
  ['a.mov', 'video/quicktime', null],
  ['a.webm', 'text/plain', null],
  ['a', '', null],
  ['a.webm', '', 'text/html'],
])('%s of the type “%s”, wanted as %s, is refused', (name, type, wanted) => {
  expect(() => fileTypeOf({ name, type }, wanted)).toThrow(expect.objectContaining({ code: 'file_type_unsupported' }));
});
