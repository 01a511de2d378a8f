import { refusalOf } from '../../../src/console/sources';
import { problemOf, type SafereelErrorCode } from '../../../src/recorder/errors';
import type { ChunkState, Snapshot } from '../../../src/recorder/types';
import { stored } from './fakes';
import type { Scene } from './scene';
import { chunks, idOf, recording, snapshot, USUAL_TAIL } from './snapshots';
import { makeStream } from './streams';

const heldTail: readonly ChunkState[] = [...Array(12).fill('on_disk'), 'writing'];

const failing = (problem: SafereelErrorCode, part: Partial<Snapshot> = {}): Scene => ({
  path: '/',
  snapshot: snapshot(
    [recording('1', chunks(38, heldTail, Date.now() - 190_000), { problem: problemOf(problem, 'Failed to fetch') })],
    part,
  ),
  studio: { phase: 'recording', recordingId: idOf('1'), stream: makeStream('video') },
});

const unwritten = (code: SafereelErrorCode | null, part: Partial<Snapshot> = {}): Scene => ({
  path: '/',
  snapshot: snapshot(
    [recording('1', chunks(38, heldTail, Date.now() - 190_000), code ? { unwritten: problemOf(code) } : {})],
    part,
  ),
  studio: { phase: 'recording', recordingId: idOf('1'), stream: makeStream('video') },
});

const retrying = () => ({
  connection: 'retrying' as const,
  retryAt: Date.now() + 9_000,
  uploadingNow: 0,
  uploadRate: 0,
});

const shared = (share: 'microphone' | 'sound', isBack = false): Scene => ({
  path: '/',
  snapshot: snapshot([recording('1', chunks(38, USUAL_TAIL, Date.now() - 190_000))]),
  studio: {
    phase: 'recording',
    recordingId: idOf('1'),
    stream: makeStream('video'),
    choice: { source: 'screen', cameraId: '', microphoneId: '', withMicrophone: true },
    loss: {
      gone: ['audio'],
      left: share === 'sound' ? ['video'] : ['video', 'audio'],
      isBack,
      share,
      problem: isBack ? null : refusalOf(Object.assign(new Error(), { name: 'NotReadableError' }), 'microphone'),
    },
  },
});

const unprotected = { storage: { persisted: false, usage: 1_200_000_000, quota: 38_000_000_000 } };

/** What goes wrong on a device, on its line, or in the bucket, and what the page says of it. */
export const FAILURE_SCENES: Record<string, () => Scene> = {
  'bucket-refuses': () => failing('bucket_refuses_page', retrying()),
  'bucket-unreachable': () => failing('bucket_unreachable', retrying()),
  'device-full': () => unwritten('storage_full', { room: { bytesLeft: 0, msLeft: 0, low: true } }),
  'disk-refuses': () => unwritten('write_failed'),
  clock: () => ({ ...unwritten(null), clockAheadMs: -7_380_000 }),
  unprotected: () => ({
    path: '/',
    snapshot: snapshot([recording('1', chunks(38, heldTail, Date.now()))], unprotected),
  }),
  'unprotected-refused': () => ({
    path: '/recordings',
    snapshot: snapshot([recording('1', chunks(38, heldTail, Date.now()), { state: 'sending' })], unprotected),
    bucket: (bucket) => Object.assign(bucket, { list: [stored(1, { lost_chunks: 2, missing_chunks: 3 }), stored(2)] }),
    press: '[data-testid=persist]',
  }),
  'capture-failed': () => ({
    path: '/',
    snapshot: snapshot([recording('1', chunks(38, ['confirmed'], Date.now()), { state: 'sending' })]),
    studio: { recordingId: idOf('1') },
    happenings: { problems: [problemOf('capture_failed'), problemOf('chunk_vanished', '2 chunks')] },
  }),
  'share-microphone': () => shared('microphone'),
  'share-microphone-back': () => shared('microphone', true),
  'share-sound': () => shared('sound'),
};
