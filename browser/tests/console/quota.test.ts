import { describe, expect, it } from 'vitest';
import type { Quota } from '../../src/console/bucket-view';
import { paceOf } from '../../src/console/line-pace';
import { promiseOf } from '../../src/console/promise';
import { overQuotaWords, quotaLevel, quotaShares, quotaWords, roomLeft } from '../../src/console/quota/quota-words';
import type { OverQuota } from '../../src/recorder/types';
import { chunk, snapshotOf, view } from './views';

const quota = (limit: number | null, used: number, reserved = 0): Quota => ({
  limit_bytes: limit,
  used_bytes: used,
  reserved_bytes: reserved,
});
const over: OverQuota = {
  usedBytes: 990_000,
  reservedBytes: 0,
  limitBytes: 1_000_000,
  waitingChunks: 2,
  waitingBytes: 40_000,
};

describe('the share of the bucket', () => {
  it.each([
    [quota(null, 5), { used: 0, reserved: 0 }, null],
    [quota(100, 20, 30), { used: 0.2, reserved: 0.3 }, 50],
    [quota(100, 90, 30), { used: 0.9, reserved: expect.closeTo(0.1) }, 0],
    [quota(100, 150), { used: 1, reserved: 0 }, 0],
    [quota(0, 0), { used: 1, reserved: 0 }, 0],
  ])('%o', (given, shares, left) => {
    expect(quotaShares(given)).toEqual(shares);
    expect(roomLeft(given)).toBe(left);
  });

  it.each([
    [null, null, 'none'],
    [quota(null, 5), null, 'none'],
    [quota(100, 20, 30), null, 'ample'],
    [quota(100, 60, 30), null, 'near'],
    [quota(100, 100), null, 'near'],
    [quota(100, 20), over, 'over'],
  ] as const)('%o is %s', (given, held, level) => expect(quotaLevel(given, held)).toBe(level));

  it('is said with its units', () => {
    expect(quotaWords(quota(null, 61_400_000))).toBe('Your bucket holds 61.4 MB');
    expect(quotaWords(quota(5e9, 1.2e9, 9e6))).toBe('Your bucket holds 1.2 GB of 5.0 GB, 9.0 MB set aside');
  });
});

describe('over quota', () => {
  it('says that recording goes on, what waits, and what to do', () => {
    expect(overQuotaWords(over)).toBe(
      '990 kB of 1.0 MB in use. Recording goes on; 2 chunks (40 kB) wait on this device. Sending goes on by itself once there is room: delete a recording, or ask for more.',
    );
    expect(overQuotaWords({ ...over, waitingChunks: 1, usedBytes: null, limitBytes: null })).toContain(
      '1 chunk (40 kB) waits',
    );
    expect(overQuotaWords({ ...over, waitingChunks: 0 })).toContain('what comes is kept on this device');
  });

  it('is not called a slow line, nor on its way', () => {
    const one = view([chunk(0, 'confirmed'), chunk(1, 'on_disk'), chunk(2, 'on_disk')], 1);
    const snapshot = snapshotOf([one], { overQuota: over });
    expect(paceOf(one, snapshot)).toBe('no_room');
    expect(promiseOf(one, snapshot).rest).toContain('once there is room');
    expect(promiseOf({ ...one, state: 'sending' }, snapshot).rest).toContain('until there is room');
    expect(promiseOf(undefined, snapshot).rest).toContain('once there is room');
  });
});
