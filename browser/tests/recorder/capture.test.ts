import { afterEach, expect, test, vi } from 'vitest';
import { Capture, narrowed, pickMimeType } from '../../src/recorder/capture';
import { RecordedTime } from '../../src/recorder/recorded-time';

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

/** Tells what a test has it tell. */
class ScriptedRecorder {
  static last: ScriptedRecorder;
  state = 'inactive';
  ondataavailable: (event: { data: Blob }) => void = () => undefined;
  onstop: () => void = () => undefined;

  constructor() {
    ScriptedRecorder.last = this;
  }

  start(): void {
    this.state = 'recording';
  }

  stop(): void {
    this.state = 'inactive';
  }

  gives(text: string): void {
    this.ondataavailable({ data: new Blob([text]) });
  }
}

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

function startCapture() {
  vi.stubGlobal('MediaRecorder', ScriptedRecorder);
  vi.stubGlobal('document', new EventTarget());
  const told: (number | string)[] = [];
  const stream = { getTracks: () => [] } as unknown as MediaStream;
  const options = {
    mimeType: 'video/webm',
    sliceMs: 500,
    videoBitsPerSecond: undefined,
    audioBitsPerSecond: undefined,
  };
  const capture = new Capture(stream, options, new RecordedTime(), {
    slice: (blob) => told.push(blob.size),
    stopped: () => told.push('stopped'),
    failed: () => told.push('failed'),
  });
  capture.start();
  return { capture, told, recorder: ScriptedRecorder.last };
}

test('a slice that comes after the word that it stopped, and an empty one, is of the recording', async () => {
  const { capture, told, recorder } = startCapture();
  recorder.gives('four');
  const stopped = capture.stop();
  recorder.gives('');
  recorder.onstop();
  recorder.gives('late!');
  await stopped;
  expect(told).toEqual([4, 5, 'stopped']);
  recorder.gives('of nobody');
  expect(told).toHaveLength(3);
});

test('one that ends with an empty slice, and no other, stops all the same', async () => {
  vi.useFakeTimers();
  const { capture, told, recorder } = startCapture();
  recorder.gives('four');
  const stopped = capture.stop();
  recorder.gives('');
  recorder.onstop();
  await vi.advanceTimersByTimeAsync(1_000);
  await stopped;
  expect(told).toEqual([4, 'stopped']);
});

test('one that ends with what it has stops at once', async () => {
  const { capture, told, recorder } = startCapture();
  const stopped = capture.stop();
  recorder.gives('four');
  recorder.onstop();
  await stopped;
  expect(told).toEqual([4, 'stopped']);
});
