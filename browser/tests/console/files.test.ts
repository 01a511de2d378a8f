import { expect, test, vi } from 'vitest';
import { isUploading, neededWords, progressWords, shareOf } from '../../src/console/files/file-words';
import { Uploads } from '../../src/console/files/uploads';
import { mergeRows } from '../../src/console/library-rows';
import { SafereelError } from '../../src/recorder/errors';
import type { FileProgress, RecordingView, Safereel } from '../../src/recorder/types';

const FILE: FileProgress = {
  state: 'sending',
  name: 'film.webm',
  lastModified: new Date(2026, 10, 2, 14, 2).getTime(),
  totalBytes: 60_000_000,
  sentBytes: 42_000_000,
  bytesPerSecond: 2_000_000,
  timeLeftMs: 9_000,
  reopenable: false,
};
const NOW = new Date(2026, 10, 2, 16, 0).getTime();

test('how it goes is told in figures, and only those that are known', () => {
  expect(progressWords(FILE)).toBe('42 MB of 60 MB · 16 Mbit/s · 9 seconds left');
  expect(progressWords({ ...FILE, bytesPerSecond: null, timeLeftMs: null })).toBe('42 MB of 60 MB');
  expect(shareOf(FILE)).toBe(0.7);
});

test.each<[string, Partial<FileProgress>, string | undefined, RegExp]>([
  ['after a reload', {}, undefined, /choose “film.webm” \(60 MB, changed today 14:02\) once more/],
  ['where the browser can be asked', { reopenable: true }, undefined, /browser has to be asked/],
  ['once it changed', { reopenable: true }, 'source_changed', /as it was, or cancel this upload/],
])('which file is needed %s', (_, part, code, words) => {
  expect(neededWords({ ...FILE, state: 'source_needed', ...part }, NOW, code)).toMatch(words);
});

test('no file is asked for while none is needed', () => {
  expect(neededWords(FILE, NOW)).toBe('');
});

test('the list tells of a file that it is being uploaded, and no length', () => {
  const view = {
    id: '1',
    title: 'film',
    startedAt: 1,
    state: 'sending',
    durationMs: 0,
    bytes: 8,
    chunksOnlyHere: 1,
    bytesOnlyHere: 8,
    file: FILE,
  };
  const [row] = mergeRows([], [view as unknown as RecordingView]);
  expect(row).toMatchObject({ bytes: FILE.totalBytes, lengthMs: null, state: { words: 'Uploading' } });
  expect(isUploading({ file: FILE })).toBe(true);
  expect(isUploading({ file: { ...FILE, state: 'complete' } })).toBe(false);
  expect(isUploading({})).toBe(false);
});

test('a file is looked at, then it is on its way, there already, or refused with its reason', async () => {
  const uploadFile = vi.fn<Safereel['uploadFile']>();
  const uploads = new Uploads({ uploadFile } as unknown as Safereel);
  const states = () => uploads.state.get().map(({ state, id, problem }) => [state, id, problem?.code]);
  const chosen = { file: new File(['x'], 'film.webm') };

  uploadFile.mockResolvedValueOnce({ id: '1', already: false } as never);
  uploads.add([chosen]);
  expect(states()).toEqual([['looking', null, undefined]]);
  await vi.waitFor(() => expect(states()).toEqual([]));

  uploadFile.mockResolvedValueOnce({ id: '1', already: true } as never);
  uploads.add([chosen]);
  await vi.waitFor(() => expect(states()).toEqual([['already', '1', undefined]]));
  uploadFile.mockRejectedValueOnce(new SafereelError('source_changed'));
  const [attempt] = uploads.state.get();
  if (attempt) uploads.again(attempt);
  expect(uploadFile).toHaveBeenLastCalledWith(chosen.file, { again: true });
  await vi.waitFor(() => expect(states()).toEqual([['refused', null, 'source_changed']]));
});
