import type { StoredChunk, StoredStatus } from '../../../src/console/bucket-view';
import { ClockWatch } from '../../../src/console/clock-watch';
import { Deletions } from '../../../src/console/deleting/deletions';
import { Downloads } from '../../../src/console/downloads/downloads';
import { Uploads } from '../../../src/console/files/uploads';
import { Happenings } from '../../../src/console/happenings';
import { Glimpses } from '../../../src/console/library/glimpses';
import type { Parts } from '../../../src/console/parts';
import { QuotaWatch } from '../../../src/console/quota/quota-watch';
import { Session } from '../../../src/console/session';
import { Studio, type StudioState } from '../../../src/console/studio';
import { asProblem, problemOf } from '../../../src/recorder/errors';
import type { ChunkView } from '../../../src/recorder/types';
import { FakeBucket, FakeDownloadCalls, stillSafereel, stored } from './fakes';
import type { Scene } from './scene';
import { DELETION_SCENES } from './scenes-deletion';
import { DOWNLOAD_SCENES } from './scenes-downloads';
import { FAILURE_SCENES } from './scenes-failures';
import { FILE_SCENES } from './scenes-files';
import { QUOTA_SCENES } from './scenes-quota';
import { sharingScenes } from './scenes-sharing';
import { chunks, idOf, recording, snapshot, USUAL_TAIL } from './snapshots';
import { makeStream, recordRun } from './streams';

const HOUR = 3_600_000;
const now = chunks(153, USUAL_TAIL, Date.now() - 765_000).slice(0, 153);
const short = chunks(38, USUAL_TAIL, Date.now() - 190_000);
const offlineTail = [...USUAL_TAIL.slice(0, 6), ...Array(24).fill('on_disk'), 'writing'] as const;
const recordingNow = (): Partial<StudioState> => ({
  phase: 'recording',
  recordingId: idOf('1'),
  stream: makeStream('video'),
});
const LOSS = { gone: ['video', 'audio'] as const, left: [], isBack: false, problem: null };
const held = (view: ReturnType<typeof recording>) => ({ ...view });

/** Every state the page is designed for, by name. */
export const SCENES: Record<string, () => Scene | Promise<Scene>> = {
  ...DELETION_SCENES,
  ...DOWNLOAD_SCENES,
  ...QUOTA_SCENES,
  ...sharingScenes(
    () => recordedChunks(),
    (list) => statusOf(list, []),
  ),
  ...FILE_SCENES,
  ...FAILURE_SCENES,
  first: () => ({ path: '/', snapshot: snapshot([], { storage: { persisted: true, usage: 0, quota: 38e9 } }) }),
  starting: () => ({
    path: '/',
    snapshot: snapshot([], { ready: false, storage: { persisted: null, usage: null, quota: null } }),
  }),
  preview: () => ({
    path: '/',
    snapshot: snapshot([]),
    studio: { phase: 'preview', stream: makeStream('video'), title: 'Deposition, room 4' },
  }),
  sound: () => ({
    path: '/',
    snapshot: snapshot([recording('1', short, { title: 'Interview 12', mimeType: 'audio/webm;codecs=opus' })]),
    studio: {
      ...recordingNow(),
      stream: makeStream('audio'),
      choice: { source: 'microphone', cameraId: '', microphoneId: '', withMicrophone: true },
    },
  }),
  recording: () => ({ path: '/', snapshot: snapshot([recording('1', short)]), studio: recordingNow() }),
  'recording-12min': () => ({ path: '/', snapshot: snapshot([recording('1', now)]), studio: recordingNow() }),
  'unplugged-waiting': () => ({
    path: '/',
    snapshot: snapshot([recording('1', short, { state: 'waiting' })]),
    studio: { ...recordingNow(), stream: null, loss: LOSS },
  }),
  'unplugged-camera': () => ({
    path: '/',
    snapshot: snapshot([recording('1', short)]),
    studio: { ...recordingNow(), stream: makeStream('audio'), loss: { ...LOSS, gone: ['video'], left: ['audio'] } },
  }),
  'unplugged-back': () => ({
    path: '/',
    snapshot: snapshot([recording('1', afterSilence(short))]),
    studio: { ...recordingNow(), loss: { ...LOSS, isBack: true } },
  }),
  paused: () => ({
    path: '/',
    snapshot: snapshot([recording('1', short, { state: 'paused' })]),
    studio: recordingNow(),
  }),
  long: () => ({
    path: '/',
    snapshot: snapshot([recording('1', chunks(3000, USUAL_TAIL, Date.now() - 15_000_000))]),
    studio: recordingNow(),
  }),
  offline: () => ({
    path: '/',
    snapshot: snapshot([recording('1', chunks(80, offlineTail, Date.now() - 400_000))], {
      connection: 'offline',
      retryAt: Date.now() + 14_000,
      uploadingNow: 0,
      uploadRate: 0,
    }),
    studio: recordingNow(),
  }),
  recovered: () => {
    const view = recording('2', chunks(38, ['confirmed', 'uploading', 'on_disk', 'on_disk'], Date.now() - HOUR), {
      state: 'sending',
      recovered: true,
    });
    return {
      path: '/',
      snapshot: snapshot([held(view)]),
      happenings: { recovered: [{ recordingId: view.id, chunks: 3, bytes: view.bytesOnlyHere }] },
    };
  },
  sending: () => ({
    path: '/',
    snapshot: snapshot([
      recording('1', chunks(38, ['acked', 'acked', 'in_bucket', 'uploading', 'on_disk'], Date.now() - 190_000), {
        state: 'sending',
      }),
      recording('3', chunks(80, offlineTail.slice(0, 20), Date.now() - HOUR), {
        state: 'sending',
        title: 'Interview 11',
        startedAt: Date.now() - HOUR,
      }),
    ]),
    studio: { recordingId: idOf('1') },
  }),
  safe: () => ({
    path: '/',
    snapshot: snapshot([recording('1', chunks(38, ['confirmed'], Date.now() - 190_000), { state: 'complete' })]),
    studio: { recordingId: idOf('1') },
  }),
  stuck: () => ({
    path: '/',
    snapshot: snapshot([
      recording('1', chunks(38, ['on_disk', 'on_disk'], Date.now() - 190_000), {
        state: 'stuck',
        problem: { code: 'recording_deleted', detail: 'The owner deleted this recording elsewhere.' },
      }),
    ]),
    studio: { recordingId: idOf('1') },
  }),
  full: () => ({
    path: '/',
    snapshot: snapshot([recording('1', short)], { storage: { persisted: false, usage: 37.4e9, quota: 38e9 } }),
    studio: recordingNow(),
  }),
  denied: () => ({
    path: '/',
    snapshot: snapshot([]),
    studio: {
      problem: {
        code: 'permission_denied',
        detail:
          'Nothing is being recorded. Allow the camera or microphone for this page in the address bar of the browser, then press Start again.',
      },
    },
  }),
  cancelled: () => ({
    path: '/',
    snapshot: snapshot([]),
    studio: {
      choice: { source: 'screen', cameraId: '', microphoneId: '', withMicrophone: true },
      problem: {
        code: 'share_cancelled',
        detail: 'Nothing is being recorded. Press Start and choose a screen, a window or a tab.',
      },
    },
  }),
  unsupported: () => ({
    path: '/',
    snapshot: snapshot([], { ready: false, storage: { persisted: null, usage: null, quota: null } }),
    happenings: { problems: [problemOf('opfs_unavailable')] },
  }),
  unreachable: () => ({ path: '/', snapshot: snapshot([]), session: 'unreachable' }),
  'signed-out': () => ({
    path: '/',
    snapshot: snapshot([], { ready: false }),
    session: 'signed_out',
    happenings: { problems: [asProblem(new Error(), 'owner_unknown')] },
  }),
  refused: () => ({ path: '/', snapshot: snapshot([recording('1', short, { state: 'sending' })]), session: 'refused' }),
  foreign: () => ({ path: '/', snapshot: snapshot([], { foreignChunks: 12 }) }),
  'library-empty': () => ({ path: '/recordings', snapshot: snapshot([]) }),
  'library-loading': () => ({
    path: '/recordings',
    snapshot: snapshot([]),
    bucket: (bucket) => Object.assign(bucket, { never: true }),
  }),
  'library-error': () => ({
    path: '/recordings',
    snapshot: snapshot([recording('1', short, { state: 'sending' })]),
    bucket: (bucket) =>
      Object.assign(bucket, {
        problem: { code: 'database_unavailable', detail: 'Repeat the call: nothing is done twice.', status: 503 },
      }),
  }),
  'library-offline': () => ({
    path: '/recordings',
    snapshot: snapshot([recording('1', short, { state: 'sending' })], {
      connection: 'offline',
      retryAt: Date.now() + 14_000,
    }),
    bucket: (bucket) => Object.assign(bucket, { problem: { code: 'network', detail: 'The server did not answer.' } }),
  }),
  library: () => ({
    path: '/recordings',
    snapshot: snapshot([recording('1', short)]),
    studio: recordingNow(),
    bucket: (bucket) => Object.assign(bucket, { list: someStored(5) }),
  }),
  'library-pictures': async () => {
    const [film, sound] = await Promise.all([recordRun(1_800), recordRun(1_800, makeStream('audio'))]);
    const first = (blobs: readonly Blob[] | undefined, id: string) =>
      ({ ...recordedChunk(0, { blob: new Blob(blobs as Blob[]), segment: 0, startMs: 0 }), key: id }) as StoredChunk;
    const list = someStored(5).map((one, index) =>
      index % 2 === 1 ? { ...one, mime_type: 'audio/webm;codecs=opus' } : one,
    );
    return {
      path: '/recordings',
      snapshot: snapshot([]),
      bucket: (bucket) => {
        const beginnings = list.map(({ id }, index) => [id, [first(index % 2 === 1 ? sound : film, id)]] as const);
        Object.assign(bucket, { list, beginnings: new Map(beginnings) });
      },
    };
  },
  'library-long': () => ({
    path: '/recordings',
    snapshot: snapshot([]),
    bucket: (bucket) => Object.assign(bucket, { list: someStored(4000) }),
  }),
  'one-loading': () => ({
    path: `/recordings/${idOf('a1')}`,
    snapshot: snapshot([]),
    bucket: (bucket) => Object.assign(bucket, { never: true }),
  }),
  'one-unknown': () => ({ path: `/recordings/${idOf('a9')}`, snapshot: snapshot([]) }),
  'one-lost': () => ({
    path: `/recordings/${idOf('a1')}`,
    snapshot: snapshot([]),
    bucket: (bucket) => {
      const list = storedChunks(chunks(60, [], Date.now() - HOUR)).map((chunk) =>
        chunk.seq === 20 || chunk.seq === 21 ? { ...chunk, state: 'lost' as const, get: null } : chunk,
      );
      Object.assign(bucket, { chunkList: list, status: statusOf(list, [[20, 21]]) });
    },
  }),
  'one-missing': () => ({
    path: `/recordings/${idOf('a1')}`,
    snapshot: snapshot([]),
    bucket: (bucket) => {
      const gone = (seq: number) => (seq < 3 ? 'lost' : seq < 6 ? 'missing' : 'confirmed');
      const list = storedChunks(chunks(60, [], Date.now() - HOUR)).map((chunk) => ({
        ...chunk,
        state: gone(chunk.seq),
      }));
      const status = { ...statusOf(list as StoredChunk[], [[0, 2]]), missing: [[3, 5]], open_tickets: 3 };
      Object.assign(bucket, { chunkList: list, status });
    },
  }),
  'one-playing': async () => {
    const list = await recordedChunks();
    const lost = list.length - 4;
    const held = list.map((chunk) => (chunk.seq === lost ? { ...chunk, state: 'lost' as const, get: null } : chunk));
    return {
      path: `/recordings/${idOf('a1')}`,
      snapshot: snapshot([]),
      bucket: (bucket) => Object.assign(bucket, { chunkList: held, status: statusOf(held, [[lost, lost]]) }),
    };
  },
  'one-parts': async () => {
    const list = await recordedParts();
    return {
      path: `/recordings/${idOf('a1')}`,
      snapshot: snapshot([]),
      bucket: (bucket) => {
        Object.assign(bucket, { chunkList: list, status: { ...statusOf(list, [[3, 3]]), duration_ms: 23_400 } });
      },
    };
  },
  'one-playing-long': async () => {
    const blobs = await recordRun(4_200);
    const list = Array.from({ length: 60 * blobs.length }, (_, seq) => {
      const segment = Math.floor(seq / blobs.length);
      const index = seq % blobs.length;
      return recordedChunk(seq, { blob: blobs[index] ?? new Blob(), segment, startMs: segment * 4_300 + index * 600 });
    });
    return {
      path: `/recordings/${idOf('a1')}`,
      snapshot: snapshot([]),
      bucket: (bucket) => Object.assign(bucket, { chunkList: list, status: statusOf(list, []) }),
    };
  },
  'one-long': () => ({
    path: `/recordings/${idOf('a1')}`,
    snapshot: snapshot([]),
    bucket: (bucket) => {
      const list = storedChunks(chunks(8640, [], Date.now() - 12 * HOUR));
      Object.assign(bucket, { chunkList: list, status: statusOf(list, []) });
    },
  }),
};

/** The same, of which the last third was recorded half a minute later, by another device. */
function afterSilence(list: readonly ChunkView[]): ChunkView[] {
  const from = Math.floor(list.length * 0.66);
  return list.map((one) => (one.seq < from ? one : { ...one, segment: 1, startMs: one.startMs + 32_000 }));
}

const NOTHING_REMEMBERED = { of: () => [], add: () => undefined, remove: () => undefined };

/** The page's parts for a scene. */
export function partsOf(scene: Scene): Parts {
  const safereel = stillSafereel(scene.snapshot);
  const session = new Session('');
  if (scene.session) session.state.set(scene.session);
  const clock = new ClockWatch();
  clock.state.set(scene.clockAheadMs ?? 0);
  const bucket = new FakeBucket();
  scene.bucket?.(bucket);
  return {
    safereel,
    session,
    bucket,
    studio: new Studio(safereel, scene.studio),
    happenings: new Happenings(safereel, scene.happenings),
    uploads: new Uploads(safereel, scene.attempts),
    deletions: new Deletions(safereel, NOTHING_REMEMBERED, () => undefined, scene.wishes),
    quota: new QuotaWatch(safereel, bucket, scene.quota ?? null),
    clock,
    glimpses: new Glimpses(bucket),
    downloads: new Downloads(new FakeDownloadCalls(scene), { session, save: () => undefined }, scene.downloads),
    sharing: { share: () => new Promise(() => undefined), revoke: () => new Promise(() => undefined) },
  };
}

function someStored(count: number) {
  return Array.from({ length: count }, (_, index) => {
    if (index % 7 === 1)
      return stored(index, {
        state: 'open',
        confirmed_bytes: 540_000_000,
        confirmed_chunks: 80,
        chunk_count: null,
        total_bytes: null,
      });
    if (index % 7 === 3)
      return stored(index, { lost_chunks: 2, confirmed_chunks: 118, confirmed_bytes: 880_000_000, chunk_count: 120 });
    if (index % 7 === 4) return stored(index, { missing_chunks: 3, confirmed_chunks: 117 });
    return stored(index);
  });
}

function storedChunks(list: readonly ChunkView[]): StoredChunk[] {
  return list.map(({ seq, segment, size, sha256, startMs, durationMs }) => ({
    seq,
    segment,
    size,
    sha256,
    state: 'confirmed',
    key: `v1/3f/${idOf('a1')}/${String(seq).padStart(8, '0')}-0000-${size}-${sha256}`,
    acked_at: new Date().toISOString(),
    confirmed_at: new Date().toISOString(),
    start_ms: startMs,
    duration_ms: durationMs,
    get: { url: 'data:,', expires_at: new Date(Date.now() + HOUR).toISOString() },
  }));
}

/** Two runs of a real recorder, as the bucket would hand them out. */
async function recordedChunks(): Promise<StoredChunk[]> {
  const runs = [await recordRun(3_600), await recordRun(3_600)];
  return runs
    .flatMap((blobs, segment) => blobs.map((blob) => ({ blob, segment, startMs: null })))
    .map((one, seq) => recordedChunk(seq, one));
}

/** Three of them: a device that was away for ten seconds, then one with another picture, then no sound. A chunk of the first is lost. */
async function recordedParts(): Promise<StoredChunk[]> {
  const streams = [makeStream('video'), makeStream('video', 960), makeStream('silent', 320)];
  const runs = await Promise.all(streams.map((stream) => recordRun(4_200, stream)));
  const starts = [0, 14_200, 18_900];
  const parts = runs.map((blobs, segment) =>
    blobs.map((blob, index) => ({ blob, segment, startMs: (starts[segment] ?? 0) + index * 600 })),
  );
  const list = parts.flat().map((one, seq) => recordedChunk(seq, one));
  const lost = Math.floor((parts[0]?.length ?? 0) / 2);
  return list.map((one) => (one.seq === lost ? { ...one, state: 'lost', get: null } : one));
}

function recordedChunk(
  seq: number,
  { blob, segment, startMs }: { blob: Blob; segment: number; startMs: number | null },
): StoredChunk {
  return {
    seq,
    segment,
    size: blob.size,
    sha256: 'c0ffee'.repeat(11).slice(0, 64),
    state: 'confirmed',
    key: `v1/3f/${idOf('a1')}/${String(seq).padStart(8, '0')}`,
    acked_at: new Date().toISOString(),
    confirmed_at: new Date().toISOString(),
    start_ms: startMs,
    duration_ms: startMs === null ? null : 600,
    get: { url: URL.createObjectURL(blob), expires_at: new Date(Date.now() + HOUR).toISOString() },
  };
}

function statusOf(list: readonly StoredChunk[], lost: readonly (readonly [number, number])[]): StoredStatus {
  const bytes = list.reduce((sum, { size }) => sum + size, 0);
  const { confirmed_chunks: _, missing_chunks: __, lost_chunks: ___, ...base } = stored(1);
  const ranges =
    lost.length > 0
      ? [
          [0, (lost[0]?.[0] ?? 1) - 1],
          [(lost.at(-1)?.[1] ?? 0) + 1, list.length - 1],
        ]
      : [[0, list.length - 1]];
  return {
    ...base,
    complete: true,
    received: ranges as [number, number][],
    confirmed: ranges as [number, number][],
    missing: [],
    lost,
    open_tickets: 0,
    received_chunks: list.length,
    received_bytes: bytes,
    confirmed_bytes: bytes,
    chunk_count: list.length,
    total_bytes: bytes,
  };
}
