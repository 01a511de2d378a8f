/** A device that runs out of room: what is told before, what is freed, and what a person can save. */
import { expect, test, vi } from 'vitest';
import { DeviceRoom } from '../../src/recorder/device-room';
import type { Trouble } from '../../src/recorder/failure';
import { LiveRecording } from '../../src/recorder/live';
import { giveUp, Reserve, setAside } from '../../src/recorder/reserve';
import { heldFiles } from '../../src/recorder/saving';
import { Spool } from '../../src/recorder/spool';
import { roomOf, Storage } from '../../src/recorder/storage';
import { MemoryDisk } from './support/memory-opfs';

const ID = '0192f0c0-0000-7000-8000-000000000001';
const MIB = 1024 * 1024;

test.each([
  { usage: null, quota: 10, perSecond: 1, expected: { bytesLeft: null, msLeft: null, low: false } },
  { usage: 10, quota: null, perSecond: 1, expected: { bytesLeft: null, msLeft: null, low: false } },
  { usage: 0, quota: 1000 * MIB, perSecond: null, expected: { bytesLeft: 1000 * MIB, msLeft: null, low: false } },
  { usage: 0, quota: 1000 * MIB, perSecond: MIB, expected: { bytesLeft: 1000 * MIB, msLeft: 1_000_000, low: false } },
  { usage: 900 * MIB, quota: 1000 * MIB, perSecond: MIB, expected: { msLeft: 100_000, low: true } },
  { usage: 990 * MIB, quota: 1000 * MIB, perSecond: null, expected: { msLeft: null, low: true } },
  { usage: 1200 * MIB, quota: 1000 * MIB, perSecond: null, expected: { bytesLeft: 0, low: true } },
])('$usage of $quota used at $perSecond bytes a second', ({ usage, quota, perSecond, expected }) => {
  expect(roomOf({ persisted: null, usage, quota }, perSecond)).toMatchObject(expected);
});

test('the reserve takes real space once, and gives it back', async () => {
  const disk = new MemoryDisk();
  disk.free = 3 * MIB;
  expect(await setAside(disk.directory, MIB)).toBe(true);
  expect(disk.free).toBe(2 * MIB);
  expect(await setAside(disk.directory, MIB)).toBe(true);
  expect(disk.free).toBe(2 * MIB);
  expect(await giveUp(disk.directory)).toBe(true);
  expect(disk.free).toBe(3 * MIB);
  expect(await giveUp(disk.directory)).toBe(false);
});

test('where there is no room for it, it keeps none, and that is told', async () => {
  const disk = new MemoryDisk();
  disk.free = MIB;
  const reserved: boolean[] = [];
  const reserve = new Reserve(disk.directory, { setReserved: (is) => reserved.push(is) }, () => undefined);
  await reserve.setAside();
  expect(reserved).toEqual([false]);
  expect(disk.free).toBe(MIB);
});

test('it is set aside again where there is room again: idle by itself, else after a sign of it', async () => {
  const disk = new MemoryDisk();
  disk.free = MIB;
  const storage = new Storage(
    () => 0,
    () => undefined,
  );
  const host = {
    keptChunks: () => 0,
    keptFreed: () => undefined,
    problem: () => undefined,
    standing: () => undefined,
  };
  const room = new DeviceRoom(disk.directory, storage, host);
  const isLow = () => storage.room(0).low;
  await room.setAside();
  expect(isLow()).toBe(true);
  disk.free = 100 * MIB;
  room.lookAgain(0, false);
  await new Promise((resolve) => setTimeout(resolve));
  expect(isLow()).toBe(true);
  room.hope();
  room.lookAgain(0, false);
  await vi.waitFor(() => expect(isLow()).toBe(false));

  expect(await room.makeRoom()).toBe(true);
  expect(isLow()).toBe(true);
  room.lookAgain(60_000, true);
  await vi.waitFor(() => expect(isLow()).toBe(false));
  const { free } = disk;
  room.lookAgain(120_000, true);
  expect(disk.free).toBe(free);
});

test('a disk that is still full is left alone between two looks', async () => {
  const disk = new MemoryDisk();
  disk.free = MIB;
  const reserved: boolean[] = [];
  const storage = new Storage(
    () => 0,
    () => undefined,
  );
  vi.spyOn(storage, 'setReserved').mockImplementation((is) => void reserved.push(is));
  const host = { keptChunks: () => 0, keptFreed: () => undefined, problem: () => undefined, standing: () => undefined };
  const room = new DeviceRoom(disk.directory, storage, host);
  await room.setAside();
  for (const now of [0, 5_000, 10_000, 15_000]) {
    room.lookAgain(now, true);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await vi.waitFor(() => expect(reserved).toEqual([false, false, false]));
  expect(disk.free).toBe(MIB);
});

/** A recording being written, with chunks of four bytes, on a disk that has `reserve` bytes set aside. */
async function recording(disk: MemoryDisk, reserve: number) {
  const spool = await Spool.open(disk.directory, 'alice');
  const facts = { id: ID, owner: 'alice', recorderId: 'd', mimeType: 'video/webm', title: 'Room 4/5', startedAt: 0 };
  const writer = await spool.create(facts);
  writer.startSegment();
  await setAside(disk.directory, reserve);
  const said: string[] = [];
  const live = new LiveRecording(
    writer,
    { chunkBytes: 4, chunkMs: 60_000, maxChunkBytes: 1_000 },
    {
      flushed: () => undefined,
      sealed: () => undefined,
      makeRoom: async () => {
        const freed = await giveUp(disk.directory);
        if (freed) said.push('storage_low');
        return freed;
      },
      trouble: (problem: Trouble | null) => said.push(problem?.code ?? 'over'),
    },
  );
  const take = (...bytes: number[]) => live.slice(new Blob([new Uint8Array(bytes)]), 0, 1);
  return { spool, live, said, take };
}

async function bytesOf(files: File[]): Promise<number[][]> {
  return Promise.all(files.map(async (file) => [...new Uint8Array(await file.arrayBuffer())]));
}

test('a full disk: the reserve goes first, the person is told, and the slice is on disk', async () => {
  const disk = new MemoryDisk();
  const { live, said, take, spool } = await recording(disk, 10_000);
  disk.free = 0;
  take(1, 2, 3, 4);
  await vi.waitFor(() => expect(live.seals).toHaveLength(1));
  expect(said).toEqual(['storage_low']);
  await live.end();
  expect((await spool.load(ID))?.journal.end).toEqual({ chunkCount: 1, totalBytes: 4 });
});

test('everything can be saved while the disk takes nothing: sealed, open and waiting, each byte once', async () => {
  const disk = new MemoryDisk();
  const { live, said, take, spool } = await recording(disk, 0);
  take(1, 2, 3, 4);
  take(5, 6);
  await vi.waitFor(() => expect(live.unsealed().parts).toHaveLength(1));
  disk.free = 0;
  take(7);
  take(8, 9);
  await vi.waitFor(() => expect(said).toContain('storage_full'));
  const files = await heldFiles(spool, ID, live.unsealed());
  expect(await bytesOf(files)).toEqual([[1, 2, 3, 4, 5, 6, 7, 8, 9]]);
  expect(files[0]?.name).toBe('Room 4 5 0192f0c0, part 1.webm');
  disk.free = 10_000;
  live.wake();
  await live.end();
  expect(await bytesOf(await heldFiles(spool, ID, null))).toEqual([[1, 2, 3, 4, 5, 6, 7, 8, 9]]);
});

test('at any moment what is saved is each byte once, in order', async () => {
  const disk = new MemoryDisk();
  const { live, take, spool } = await recording(disk, 0);
  for (let n = 0; n < 40; n += 1) {
    take(n);
    for (let turn = 0; turn < n % 5; turn += 1) await Promise.resolve();
    await new Promise((resolve) => setTimeout(resolve));
    const [bytes = []] = await bytesOf(await heldFiles(spool, ID, live.unsealed()));
    expect(bytes).toEqual(Array.from({ length: n + 1 }, (_, i) => i));
  }
});

test('what was released is not in it, and its name says so; what was never here is refused', async () => {
  const disk = new MemoryDisk();
  const { live, take, spool } = await recording(disk, 0);
  take(1, 2, 3, 4);
  take(5, 6, 7, 8);
  await live.end();
  await spool.release(ID, live.seals.slice(0, 1));
  const files = await heldFiles(spool, ID, null);
  expect(await bytesOf(files)).toEqual([[5, 6, 7, 8]]);
  expect(files[0]?.name).toBe('Room 4 5 0192f0c0, part 1, without 1 chunks.webm');
  await expect(heldFiles(spool, ID.replace('1', '2'), null)).rejects.toMatchObject({ code: 'recording_not_here' });
});

test('that room runs out is told once, also to somebody who looks at the room upon it, and again after there was room', () => {
  let told = 0;
  const storage: Storage = new Storage(
    () => 0,
    () => {
      told += 1;
      storage.warn(0);
    },
  );
  for (const reserved of [false, false, true, false]) {
    storage.setReserved(reserved);
    storage.warn(0);
  }
  expect(told).toBe(2);
});
