import { describe, expect, it } from 'vitest';
import { levelOf } from '../../src/console/level';
import { isRoomLow, paceOf, recordedRate, roomMs } from '../../src/console/line-pace';
import { routeOf } from '../../src/console/route';
import { refusalOf } from '../../src/console/sources';
import { chunk, snapshotOf, view } from './views';

const chunks = Array.from({ length: 20 }, (_, seq) => chunk(seq, 'on_disk'));

describe('routes', () => {
  const id = '0193f0a0-0000-7000-8000-000000000001';
  it.each([
    ['/', { page: 'record' }],
    ['/recordings', { page: 'library' }],
    ['/recordings/', { page: 'library' }],
    [`/recordings/${id}`, { page: 'recording', id }],
    ['/recordings/nonsense', { page: 'unknown' }],
    [`/recordings/${id}/more`, { page: 'unknown' }],
    ['/elsewhere', { page: 'unknown' }],
  ])('%s', (path, route) => expect(routeOf(path)).toEqual(route));
});

describe('rates and room', () => {
  const one = view(chunks, 15);
  it('takes the rate from the latest chunks', () => expect(recordedRate(one)).toBe(200_000));
  it('knows no rate of nothing', () => expect(recordedRate(undefined)).toBeNull());
  it('tells how long there is room', () => expect(roomMs(snapshotOf([one]), 200_000)).toBe(150_000_000));
  it('warns in time', () => {
    expect(isRoomLow(snapshotOf([one]), 200_000)).toBe(false);
    expect(isRoomLow(snapshotOf([one], { storage: { persisted: true, usage: 39e9, quota: 40e9 } }), 200_000)).toBe(
      true,
    );
    expect(isRoomLow(snapshotOf([one], { storage: { persisted: null, usage: null, quota: null } }), 200_000)).toBe(
      false,
    );
  });
  it('says whether the line keeps up', () => {
    expect(paceOf(view(chunks, 15), snapshotOf([]))).toBe('keeps_up');
    expect(paceOf(view(chunks, 2), snapshotOf([], { uploadRate: 100_000 }))).toBe('behind');
    expect(paceOf(view(chunks, 2), snapshotOf([], { uploadRate: 900_000 }))).toBe('keeps_up');
    expect(paceOf(view(chunks, 15), snapshotOf([], { connection: 'offline' }))).toBe('waiting');
  });
});

describe('refusals of the browser', () => {
  const named = (name: string) => Object.assign(new Error('x'), { name });
  it.each([
    ['NotAllowedError', 'camera', 'permission_denied'],
    ['NotAllowedError', 'screen', 'share_cancelled'],
    ['NotFoundError', 'microphone', 'no_device'],
    ['NotReadableError', 'camera', 'device_busy'],
    ['TypeError', 'screen', 'source_unsupported'],
    ['SomethingElse', 'camera', 'source_failed'],
  ] as const)('%s of a %s', (name, source, code) => {
    const error = name === 'TypeError' ? new TypeError('x') : named(name);
    const { code: told, detail } = refusalOf(error, source);
    expect(told).toBe(code);
    if (code !== 'source_failed') expect(detail).toMatch(/(Allow|Connect|close it there|Choose another|Press Start)/);
    if (code !== 'source_failed' && code !== 'source_unsupported')
      expect(detail).toMatch(/^Nothing is being recorded\./);
  });
});

it('hears silence and noise', () => {
  expect(levelOf(new Float32Array(64))).toBe(0);
  expect(levelOf(new Float32Array(64).fill(1))).toBe(1);
});
