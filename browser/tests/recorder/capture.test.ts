import { expect, test } from 'vitest';
import { narrowed, pickMimeType } from '../../src/recorder/capture';

const streamOf = (...kinds: string[]) =>
  ({
    getVideoTracks: () => kinds.filter((kind) => kind === 'video'),
    getAudioTracks: () => kinds.filter((kind) => kind === 'audio'),
  }) as unknown as MediaStream;

test.each([
  { kinds: ['video', 'audio'], type: 'video/webm;codecs=vp9,opus' },
  { kinds: ['video'], type: 'video/webm;codecs=vp9' },
  { kinds: ['audio'], type: 'audio/webm;codecs=opus' },
])('a stream of $kinds is recorded in a type that names no other track: $type', ({ kinds, type }) => {
  expect(pickMimeType(streamOf(...kinds), undefined, () => true)).toBe(type);
});

test.each([
  { type: 'video/webm;codecs=vp8,opus', kinds: ['video', 'audio'] as const, narrow: 'video/webm;codecs=vp8,opus' },
  { type: 'video/webm;codecs=vp8,opus', kinds: ['video'] as const, narrow: 'video/webm;codecs=vp8' },
  { type: 'video/webm; codecs="vp8, opus"', kinds: ['audio'] as const, narrow: 'video/webm;codecs=opus' },
  { type: 'video/mp4;codecs=avc1.42E01E,mp4a.40.2', kinds: ['video'] as const, narrow: 'video/mp4;codecs=avc1.42E01E' },
  { type: 'video/webm', kinds: ['video'] as const, narrow: 'video/webm' },
  { type: 'audio/webm;codecs=opus', kinds: ['audio'] as const, narrow: 'audio/webm;codecs=opus' },
])('$type for a stream of $kinds is $narrow', ({ type, kinds, narrow }) => {
  expect(narrowed(type, kinds)).toBe(narrow);
});
