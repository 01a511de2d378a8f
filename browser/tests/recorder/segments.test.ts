/** A recording that goes on with another device: segments are never mixed, on disk, after a crash, or in what a person saves. */
import { expect, test, vi } from 'vitest';
import { sha256Hex } from '../../src/recorder/digest';
import { LiveRecording } from '../../src/recorder/live';
import { RecordedTime } from '../../src/recorder/recorded-time';
import { heldFiles } from '../../src/recorder/saving';
import { Spool } from '../../src/recorder/spool';
import { Crash, MemoryDisk } from './support/memory-opfs';

const ID = '0192f0c0-0000-7000-8000-000000000001';

async function recording(disk = new MemoryDisk()) {
  const spool = await Spool.open(disk.directory, 'alice');
  const facts = { id: ID, owner: 'alice', recorderId: 'd', mimeType: 'video/webm', title: 'Room', startedAt: 0 };
  const writer = await spool.create(facts);
  writer.startSegment();
  const live = new LiveRecording(
    writer,
    { chunkBytes: 4, chunkMs: 60_000, maxChunkBytes: 1_000 },
    { flushed: () => undefined, sealed: () => undefined, makeRoom: async () => false, trouble: () => undefined },
  );
  const take = (...bytes: number[]) => live.slice(new Blob([new Uint8Array(bytes)]), 0, 1);
  return { disk, spool, writer, live, take };
}

async function saved(spool: Spool, live: LiveRecording | null): Promise<number[][]> {
  const files = await heldFiles(spool, ID, live?.unsealed() ?? null);
  return Promise.all(files.map(async (file) => [...new Uint8Array(await file.arrayBuffer())]));
}

test('what comes after another device took over is another segment, in chunks of its own', async () => {
  const { live, take, spool } = await recording();
  take(1, 2);
  live.segment(9_000);
  live.slice(new Blob([new Uint8Array([3, 4, 5, 6])]), 9_000, 9_500);
  take(7);
  await live.end();
  expect(live.seals.map(({ seq, segment, size, startMs }) => [seq, segment, size, startMs])).toEqual([
    [0, 0, 2, 0],
    [1, 1, 4, 9_000],
    [2, 1, 1, 0],
  ]);
  expect(await saved(spool, null)).toEqual([
    [1, 2],
    [3, 4, 5, 6, 7],
  ]);
});

test('a device that gives nothing uses up no number', async () => {
  const { live, take } = await recording();
  live.segment(1);
  take(1);
  live.segment(2);
  live.segment(3);
  live.segment(4);
  take(2);
  await live.end();
  expect(live.seals.map(({ seq, segment }) => [seq, segment])).toEqual([
    [0, 0],
    [1, 1],
  ]);
});

test('on a full disk what waits of each segment is saved as a file of its own, at any moment', async () => {
  const { disk, live, take, spool } = await recording();
  take(1, 2);
  await vi.waitFor(() => expect(live.unsealed().parts).toHaveLength(1));
  disk.free = 0;
  take(3);
  live.segment(1);
  live.segment(2);
  take(4);
  take(5);
  live.segment(3);
  take(6);
  const all = [[1, 2, 3], [4, 5], [6]];
  expect(await saved(spool, live)).toEqual(all);
  disk.free = 10_000;
  live.wake();
  const ended = live.end();
  for (let done = false; !done; ) {
    done = await Promise.race([ended.then(() => true), new Promise<false>((go) => setTimeout(go, 0, false))]);
    expect(await saved(spool, done ? null : live)).toEqual(all);
  }
});

test('whatever moment the machine dies: no chunk holds bytes of two segments, and each is a prefix of what it was', async () => {
  let inSecond = 0;
  for (let steps = 4; steps < 60; steps += 1) {
    const { disk, live, take } = await recording();
    disk.stepsLeft = steps;
    const given = [1, 2, 3].map((run) => [1, 2, 3, 4, 5, 6].map((n) => run * 50 + n));
    for (const [run, bytes] of given.entries()) {
      if (run > 0) live.segment(run);
      for (const byte of bytes) take(byte);
    }
    await Promise.race([live.end(), crashed(disk)]);
    await live.abandon(); // A dead machine tries nothing again.
    disk.reboot(() => 0.5);
    disk.free = 10_000;
    const again = await Spool.open(disk.directory, 'alice');
    const { seals } = await again.settle(ID, true);
    const found = new Map<number, number[]>();
    for (const seal of seals) {
      const bytes = new Uint8Array(await (await again.chunkFile(ID, seal)).arrayBuffer());
      expect(await sha256Hex(bytes)).toBe(seal.sha256);
      found.set(seal.segment, [...(found.get(seal.segment) ?? []), ...bytes]);
    }
    for (const [segment, bytes] of found) expect(bytes).toEqual(given[segment]?.slice(0, bytes.length));
    if (found.size === 2) inSecond += 1;
  }
  expect(inSecond).toBeGreaterThan(5);
});

/** Resolves once a step was refused because the machine is dead. */
async function crashed(disk: MemoryDisk): Promise<void> {
  await vi.waitFor(() => {
    let dead = false;
    try {
      disk.step();
    } catch (error) {
      dead = error instanceof Crash;
    }
    expect(dead).toBe(true);
  });
}

test('recorded time: pauses are left out, and time without a device is not', () => {
  let now = 1_000;
  const time = new RecordedTime(() => now);
  time.begin(500);
  now = 3_000;
  expect(time.ms).toBe(2_500);
  time.pause();
  now = 90_000;
  expect(time.ms).toBe(2_500);
  time.resume();
  time.resume();
  now = 91_000;
  expect(time.ms).toBe(3_500);
});

test('a clock that is set back or forward moves no recorded time', () => {
  vi.useFakeTimers();
  try {
    const time = new RecordedTime();
    time.begin(0);
    vi.advanceTimersByTime(2_000);
    vi.setSystemTime(Date.now() - 3_600_000);
    expect(time.ms).toBe(2_000);
    vi.setSystemTime(Date.now() + 86_400_000);
    vi.advanceTimersByTime(500);
    expect(time.ms).toBe(2_500);
  } finally {
    vi.useRealTimers();
  }
});
