import type { Attempt } from '../../../src/console/files/uploads';
import { problemOf } from '../../../src/recorder/errors';
import type { FileProgress, RecordingView } from '../../../src/recorder/types';
import { stored } from './fakes';
import type { Scene } from './scene';
import { recording, snapshot } from './snapshots';

const MB = 1_000_000;

function upload(digit: string, title: string, part: Partial<FileProgress>, view: Partial<RecordingView> = {}) {
  const file: FileProgress = {
    state: 'sending',
    name: title,
    lastModified: Date.now() - 86_400_000,
    totalBytes: 1073 * MB,
    sentBytes: 402 * MB,
    bytesPerSecond: 11.4 * MB,
    timeLeftMs: 58_900,
    reopenable: false,
    ...part,
  };
  return recording(digit, [], { title, state: 'sending', file, ...view });
}

const attempt = (key: number, name: string, part: Partial<Attempt>): Attempt => ({
  key,
  name,
  chosen: { file: new File([], name) },
  state: 'looking',
  id: null,
  problem: null,
  ...part,
});

const still = { bytesPerSecond: null, timeLeftMs: null };
const library = (views: readonly RecordingView[], attempts: readonly Attempt[] = []): Scene => ({
  path: '/recordings',
  snapshot: snapshot([...views]),
  attempts,
  bucket: (bucket) => {
    bucket.list = Array.from({ length: 3 }, (_, index) => stored(index));
  },
});

/** Files that are uploaded: on their way, paused, needed again, refused, and there already. */
export const FILE_SCENES: Record<string, () => Scene> = {
  files: () =>
    library([
      upload('1', 'Deposition of the second witness, room 4, morning session.webm', {}),
      upload('2', 'Lecture 3.mp4', { state: 'paused', sentBytes: 92 * MB, ...still }),
    ]),
  'files-needed': () =>
    library([
      upload('1', 'Room 4.webm', { state: 'source_needed', ...still }),
      upload('2', 'Lecture 3.mp4', { state: 'source_needed', reopenable: true, ...still }),
      upload('3', 'Exam hall B.mkv', { state: 'source_needed', ...still }, { problem: problemOf('source_changed') }),
    ]),
  'files-told': () =>
    library(
      [],
      [
        attempt(1, 'Room 4.webm', {}),
        attempt(2, 'Lecture 3.mp4', { state: 'already', id: stored(1).id }),
        attempt(3, 'Notes.txt', { state: 'refused', problem: problemOf('file_type_unsupported', 'text/plain') }),
      ],
    ),
  'files-cancel': () => ({
    ...library([upload('1', 'Room 4.webm', {})]),
    press: '[data-testid=file-cancel]',
  }),
  'files-recorder': () => ({
    path: '/',
    snapshot: snapshot([
      upload('1', 'Room 4.webm', {}),
      upload('2', 'Lecture 3.mp4', { state: 'source_needed', ...still }),
    ]),
  }),
};
