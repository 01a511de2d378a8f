import type { StoredRecording, StoredStatus } from '../../../src/console/bucket-view';
import type { Wish } from '../../../src/console/deleting/deletions';
import { stored } from './fakes';
import type { Scene } from './scene';
import { chunks, idOf, recording, snapshot, USUAL_TAIL } from './snapshots';
import { makeStream } from './streams';

const list = () => [
  stored(0),
  stored(1, { title: 'Exam hall B, camera 2' }),
  stored(2, { title: 'Lecture 3' }),
  stored(3, {
    title: 'Consultation, line dropped',
    state: 'deleting',
    deletion: { cause: 'owner', requested_at: new Date().toISOString(), failures: 3 },
  }),
  stored(4, {
    title: 'Interview 9',
    state: 'deleting',
    deletion: { cause: 'owner', requested_at: new Date().toISOString(), failures: 0 },
  }),
  stored(5, {
    title: 'Field notes, Tuesday',
    state: 'expired',
    confirmed_bytes: 640_000_000,
    confirmed_chunks: 90,
    chunk_count: null,
    total_bytes: null,
  }),
];

const wish = (id: string, title: string, phase: Wish['phase']): Wish => ({
  id,
  title,
  phase,
  dueAt: Date.now() + 6_600,
  problem: null,
});

function library(part: Partial<Scene>): Scene {
  return {
    path: '/recordings',
    snapshot: snapshot([]),
    bucket: (bucket) => Object.assign(bucket, { list: list() }),
    ...part,
  };
}

const recordingNow = (part: Partial<Scene>): Scene => ({
  path: '/',
  snapshot: snapshot([recording('1', chunks(38, USUAL_TAIL, Date.now() - 190_000))]),
  studio: { phase: 'recording', recordingId: idOf('1'), stream: makeStream('video') },
  ...part,
});

/** A recording of a list, by itself: its first ninety chunks are in the bucket. */
function statusOf(one: StoredRecording): StoredStatus {
  const { confirmed_chunks: _, missing_chunks: __, lost_chunks: ___, ...base } = one;
  const ranges: [number, number][] = [[0, 89]];
  return {
    ...base,
    complete: false,
    completed_at: null,
    received_chunks: 90,
    received_bytes: 640_000_000,
    received: ranges,
    confirmed: ranges,
    missing: [],
    lost: [],
    open_tickets: 0,
  };
}

/** Deletion, from the question to what is said of it afterwards. */
export const DELETION_SCENES: Record<string, () => Scene> = {
  'delete-ask': () => library({ press: `[data-testid=delete][data-id="${idOf('a0')}"]` }),
  'delete-ask-recording': () => recordingNow({ press: '[data-testid=delete]' }),
  'delete-undo': () => library({ wishes: [wish(idOf('a1'), 'Exam hall B, camera 2', 'undoable')] }),
  'delete-undo-recorder': () =>
    recordingNow({
      snapshot: snapshot([
        recording('1', chunks(38, USUAL_TAIL.slice(0, -1), Date.now() - 190_000), { state: 'sending' }),
      ]),
      studio: { recordingId: idOf('1') },
      wishes: [wish(idOf('1'), 'Deposition, room 4', 'undoable')],
    }),
  'delete-several': () =>
    library({
      wishes: [
        wish(idOf('a0'), 'Interview 12, participant 7', 'agreed'),
        wish(idOf('a1'), 'Exam hall B, camera 2', 'sending'),
        wish(idOf('a2'), 'Lecture 3', 'undoable'),
      ],
    }),
  'delete-failed': () =>
    library({
      wishes: [
        {
          ...wish(idOf('a1'), 'Exam hall B, camera 2', 'failed'),
          problem: {
            code: 'delete_failed',
            detail:
              'The recording was not deleted: the server did not agree to it. Nothing was removed, neither in the bucket nor on this device. Try again. (The control plane did not answer.)',
          },
        },
      ],
    }),
  'deleted-elsewhere': () => ({
    path: '/',
    snapshot: snapshot([]),
    happenings: {
      deleted: [
        {
          type: 'deleted',
          recordingId: idOf('1'),
          title: 'Deposition, room 4',
          durationMs: 758_000,
          wasRecording: true,
          requested: false,
        },
        {
          type: 'deleted',
          recordingId: idOf('2'),
          title: 'Interview 11',
          durationMs: 3_600_000,
          wasRecording: false,
          requested: false,
        },
      ],
    },
  }),
  'delete-watched': () => library({ press: '[data-testid=being-deleted] summary' }),
  'one-not-cleared': () => ({
    path: `/recordings/${idOf('a3')}`,
    snapshot: snapshot([]),
    bucket: (bucket) => Object.assign(bucket, { status: statusOf(list()[3] ?? stored(3)) }),
  }),
  'one-deleted': () => ({
    path: `/recordings/${idOf('a1')}`,
    snapshot: snapshot([]),
    bucket: (bucket) => {
      bucket.problem = { code: 'recording_deleted', detail: 'Its owner deleted it.', status: 410 };
    },
  }),
  'one-expired': () => ({
    path: `/recordings/${idOf('a5')}`,
    snapshot: snapshot([]),
    bucket: (bucket) => Object.assign(bucket, { status: statusOf(list()[5] ?? stored(5)) }),
  }),
};
