import type { Quota } from '../../../src/console/bucket-view';
import type { ChunkState } from '../../../src/recorder/types';
import { stored } from './fakes';
import type { Scene } from './scene';
import { chunks, idOf, recording, snapshot, USUAL_TAIL } from './snapshots';
import { makeStream } from './streams';

const GB = 1_000_000_000;
const waiting: ChunkState[] = [...USUAL_TAIL.slice(0, 4), ...Array<ChunkState>(12).fill('on_disk'), 'writing'];

const share = (used: number, reserved: number, limit: number | null = 5 * GB): Quota => ({
  limit_bytes: limit,
  used_bytes: used,
  reserved_bytes: reserved,
});

const recordingNow = (tail: readonly ChunkState[], quota: Quota, part: Parameters<typeof snapshot>[1] = {}): Scene => ({
  path: '/',
  snapshot: snapshot([recording('1', chunks(60, tail, Date.now() - 300_000))], part),
  studio: { phase: 'recording', recordingId: idOf('1'), stream: makeStream('video') },
  quota,
});

const overQuota = {
  usedBytes: 4.99 * GB,
  reservedBytes: 0,
  limitBytes: 5 * GB,
  waitingChunks: 12,
  waitingBytes: 19_100_000,
};

/** The owner's share of the bucket: ample, running out, used up. */
export const QUOTA_SCENES: Record<string, () => Scene> = {
  'quota-ample': () => recordingNow(USUAL_TAIL, share(1.8 * GB, 0.09 * GB)),
  'quota-unlimited': () => recordingNow(USUAL_TAIL, share(1.8 * GB, 0.09 * GB, null)),
  'quota-near': () => recordingNow(USUAL_TAIL, share(4.62 * GB, 0.06 * GB)),
  'quota-over': () => recordingNow(waiting, share(4.99 * GB, 0), { overQuota, uploadingNow: 0, uploadRate: null }),
  'quota-over-library': () => ({
    path: '/recordings',
    snapshot: snapshot([recording('1', chunks(60, waiting, Date.now() - 300_000), { state: 'sending' })], {
      overQuota: { ...overQuota, waitingChunks: 1, waitingBytes: 1_600_000 },
    }),
    bucket: (bucket) => {
      bucket.list = Array.from({ length: 4 }, (_, index) => stored(index));
    },
    quota: share(4.99 * GB, 0),
  }),
};
