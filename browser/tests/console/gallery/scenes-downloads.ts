import type { Download } from '../../../src/console/downloads/download-calls';
import type { Act, Ask } from '../../../src/console/downloads/downloads';
import type { FakeBucket } from './fakes';
import { stored } from './fakes';
import type { Scene } from './scene';
import { idOf, snapshot } from './snapshots';

const MB = 1_000_000;
const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString();
const inHours = (hours: number) => new Date(Date.now() + hours * 3_600_000).toISOString();
const TITLES = ['Interview 12, participant 7', 'Exam hall B, camera 2', 'Lecture 3', 'Consultation, line dropped'];

function one(index: number, part: Partial<Download> = {}): Download {
  return {
    id: idOf(`d${index}`),
    state: 'running',
    waiting_for: null,
    version: 100 + index,
    recordings: [{ id: idOf(`a${index}`), title: TITLES[index % TITLES.length] ?? null }],
    allow_gaps: false,
    gaps: [],
    bytes_done: 410 * MB,
    bytes_total: 820 * MB,
    percent: 50,
    created_at: minutesAgo(3 + index * 9),
    started_at: minutesAgo(2 + index * 9),
    finished_at: null,
    expires_at: null,
    problem: null,
    file: null,
    webhook: null,
    ...part,
  };
}

const none = { bytes_done: 0, percent: 0 };
const queued = (index: number, part: Partial<Download> = {}) =>
  one(index, { state: 'queued', ...none, started_at: null, ...part });
const ready = (index: number, part: Partial<Download> = {}) =>
  one(index, {
    state: 'ready',
    percent: 100,
    expires_at: inHours(23),
    finished_at: minutesAgo(1),
    file: { name: `${TITLES[index % 4]}.webm`, content_type: 'video/webm', size: 818 * MB, path: '' },
    ...part,
  });
const several = Array.from({ length: 3 }, (_, index) => ({ id: idOf(`a${index}`), title: TITLES[index] ?? null }));
const missing = {
  code: 'chunks_missing',
  detail: 'Chunks 12-14 are not in the bucket: they are asked for again, and this goes on when they are there.',
};
const ALL: readonly Download[] = [
  one(0),
  one(1, { recordings: several, percent: 3, bytes_done: 70 * MB, bytes_total: 2_300 * MB }),
  queued(2, { waiting_for: 'turn' }),
  queued(3, { waiting_for: 'chunks', problem: missing }),
  queued(4, {
    waiting_for: 'retry',
    problem: { code: 'storage_unavailable', detail: 'The bucket did not answer as it should; it is tried again.' },
  }),
  queued(5),
  ready(6),
  ready(7, { allow_gaps: true, gaps: [{ recording_id: idOf('a7'), missing: [[12, 14]] }] }),
  ready(8, {
    problem: {
      code: 'media_unreadable',
      detail: 'Some of it cannot be read as media: that is in it byte by byte, as it was recorded.',
    },
  }),
  one(9, {
    state: 'failed',
    problem: {
      ...missing,
      detail: 'Chunks 12-14 are not in the bucket, and nobody sent them again. Ask with allow_gaps for what there is.',
    },
  }),
  one(10, {
    state: 'failed',
    problem: {
      code: 'storage_unavailable',
      detail: 'The bucket did not let it be made, however often it was tried. Ask again later.',
    },
  }),
  one(11, { state: 'cancelled' }),
  one(12, { state: 'expired' }),
];

const page = (downloads: readonly Download[], part: Partial<Scene> = {}): Scene => ({
  path: '/downloads',
  snapshot: snapshot([]),
  downloads: { downloads, status: 'ready', paces: new Map([[idOf('d0'), 21 * MB]]) },
  downloadList: downloads,
  ...part,
});

const status = (bucket: FakeBucket) => {
  bucket.list = Array.from({ length: 4 }, (_, index) => stored(index));
  const first = stored(0);
  bucket.status = {
    ...first,
    complete: true,
    open_tickets: 0,
    received: [[0, 119]],
    confirmed: [[0, 119]],
    missing: [],
    lost: [],
  };
};
const recordingPage = (
  downloads: readonly Download[],
  asks: readonly [string, Ask][] = [],
  acts: readonly [string, Act][] = [],
): Scene => ({
  ...page(downloads),
  path: `/recordings/${idOf('a0')}`,
  bucket: status,
  downloads: {
    downloads,
    status: 'ready',
    paces: new Map([[idOf('d0'), 21 * MB]]),
    asks: new Map(asks),
    acts: new Map(acts),
  },
});
const there = (part: object) => ({
  recording_id: idOf('a0'),
  available: false,
  chunks: 117,
  bytes: 801 * MB,
  missing: [] as [number, number][],
  problem: null,
  ...part,
});
const refused = (code: string, part: object): [string, Ask] => [
  idOf('a0'),
  { phase: 'refused', problem: { code, detail: 'The server said so.' }, there: there(part) },
];

/** Downloads: on their page, on a recording's, in the library, and elsewhere. */
export const DOWNLOAD_SCENES: Record<string, () => Scene> = {
  'downloads-all': () => page(ALL),
  'downloads-folded-out': () => page(ALL.slice(1, 2), { press: 'summary' }),
  'downloads-cancel': () => page(ALL.slice(0, 1), { press: '[data-testid=download-cancel]' }),
  'downloads-empty': () => page([]),
  'downloads-loading': () => page([], { downloads: { status: 'loading' }, downloadsNever: true }),
  'downloads-failed': () =>
    page([], {
      downloads: {
        status: 'failed',
        problem: { code: 'database_unavailable', detail: 'The database did not answer.' },
      },
      downloadsNever: true,
    }),
  'downloads-offline': () =>
    page(ALL.slice(0, 3), { snapshot: snapshot([], { connection: 'offline' }), downloadsLost: true }),
  'downloads-long': () => page(Array.from({ length: 60 }, (_, index) => ready(index))),
  'downloads-acts': () =>
    page([ready(0), ready(1), one(2, { state: 'expired' })], {
      downloads: {
        status: 'ready',
        acts: new Map([
          [idOf('d0'), { doing: null, problem: null, saved: true }],
          [
            idOf('d1'),
            {
              doing: null,
              saved: false,
              problem: {
                code: 'file_refused',
                detail:
                  'The bucket did not give the file. It may be a passing fault: press “Save file” again in a moment.',
              },
            },
          ],
          [
            idOf('d2'),
            {
              doing: null,
              saved: false,
              problem: { code: 'recording_deleted', detail: 'The recording was deleted; nothing can be made of it.' },
            },
          ],
        ]),
      },
    }),
  'downloads-toasts': () => ({
    ...page([
      ready(0),
      one(1, {
        state: 'failed',
        problem: { code: 'storage_unavailable', detail: 'The bucket did not let it be made.' },
      }),
      one(2),
    ]),
    path: '/recordings',
    bucket: status,
    downloads: {
      downloads: [
        ready(0),
        one(1, {
          state: 'failed',
          problem: { code: 'storage_unavailable', detail: 'The bucket did not let it be made.' },
        }),
        one(2),
      ],
      status: 'ready',
      news: [idOf('d0'), idOf('d1')],
    },
  }),
  'download-none': () => recordingPage([]),
  'download-making': () => recordingPage([one(0)]),
  'download-waiting': () => recordingPage([queued(0, { waiting_for: 'chunks', problem: missing })]),
  'download-ready': () => recordingPage([ready(0)], [], [[idOf('d0'), { doing: null, problem: null, saved: true }]]),
  'download-ready-gaps': () =>
    recordingPage([ready(0, { allow_gaps: true, gaps: [{ recording_id: idOf('a0'), missing: [[12, 14]] }] })]),
  'download-refused-missing': () => recordingPage([], [refused('chunks_missing', { missing: [[12, 14]] })]),
  'download-refused-incomplete': () => recordingPage([], [refused('recording_incomplete', {})]),
  'download-refused-empty': () => recordingPage([], [refused('recording_empty', { chunks: 0, bytes: 0 })]),
  'download-failed': () => recordingPage([one(0, { state: 'failed', problem: ALL[9]?.problem ?? null })]),
  'download-select': () => ({
    ...page([]),
    path: '/recordings',
    bucket: status,
    press: '[data-testid=select]',
  }),
};
