/** Released chunks that stay while there is room: how many, which go first, and that nothing else hangs on them. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { HeartbeatAnswer, HeartbeatRequest, Ticket } from '../../src/recorder/control-plane';
import { Inventory } from '../../src/recorder/inventory';
import type { Seal } from '../../src/recorder/journal';
import { type KeptChunk, keepLimit, toFree } from '../../src/recorder/keeping';
import { freeAllKept } from '../../src/recorder/kept-files';
import { heldFiles } from '../../src/recorder/saving';
import { Spool } from '../../src/recorder/spool';
import { Uploading } from '../../src/recorder/uploading';
import { FakeControlPlane } from './support/fake-control-plane';
import { MemoryLocks } from './support/memory-locks';
import { Crash, MemoryDisk } from './support/memory-opfs';

const ID = '0192f0c0-0000-7000-8000-000000000001';
const OTHER = '0192f0c0-0000-7000-8000-000000000002';
const GIB = 2 ** 30;

vi.setConfig({ testTimeout: 20_000 });
let stop = new AbortController();
beforeEach(() => {
  vi.stubGlobal('navigator', { locks: new MemoryLocks() });
});
afterEach(() => {
  stop.abort();
  stop = new AbortController();
  vi.unstubAllGlobals();
});

const plenty = { persisted: true, usage: 0, quota: 100 * GIB };

test.each([
  ['all that was asked for, where room is plentiful', GIB / 4, plenty, 0, false, GIB / 4],
  ['none when it is turned off', 0, plenty, 0, false, 0],
  ['a twentieth of a small quota', GIB, { ...plenty, quota: GIB }, 0, false, Math.floor(GIB / 20)],
  ['a tenth of what is free', GIB, { ...plenty, quota: 10 * GIB, usage: 9 * GIB }, 0, false, Math.floor(GIB / 10)],
  [
    'what is kept counts as free',
    GIB,
    { ...plenty, quota: 10 * GIB, usage: 10 * GIB },
    GIB,
    false,
    Math.floor(GIB / 10),
  ],
  ['none when room is low', GIB, plenty, 0, true, 0],
  ['none where the browser tells no usage', GIB, { ...plenty, usage: null }, 0, false, 0],
  ['none where it tells no quota', GIB, { ...plenty, quota: null }, 0, false, 0],
  ['never less than none', GIB, { ...plenty, quota: GIB, usage: 3 * GIB }, 0, false, 0],
])('%s', (_, most, report, kept, low, limit) => {
  expect(keepLimit(most, report, kept, low)).toBe(limit);
});

test('what was released first goes first, and no more than has to', () => {
  const chunk = (id: string, seq: number, at: number, size: number): KeptChunk => {
    return { id, at, seal: { seq, segment: 0, size, sha256: '', startMs: 0, durationMs: 0 } };
  };
  const kept = [chunk('b', 0, 5, 10), chunk('a', 7, 9, 10), chunk('a', 1, 5, 10), chunk('a', 0, 5, 10)];
  const freed = (limit: number) => toFree(kept, limit).map(({ id, seal }) => `${id}${seal.seq}`);
  expect(freed(40)).toEqual([]);
  expect(freed(39)).toEqual(['a0']);
  expect(freed(15)).toEqual(['a0', 'a1', 'b0']);
  expect(freed(0)).toEqual(['a0', 'a1', 'b0', 'a7']);
});

/** An ended recording of three chunks. */
async function recorded(spool: Spool, id: string): Promise<Seal[]> {
  const { owner, recorderId } = spool;
  const writer = await spool.create({ id, owner, recorderId, mimeType: 'video/webm', title: id, startedAt: 0 });
  writer.startSegment();
  const seals: Seal[] = [];
  for (const at of [0, 1, 2]) {
    await writer.write(new Uint8Array(50 + at).fill(at + 1), at, at + 1);
    seals.push((await writer.seal()) as Seal);
  }
  writer.end({ chunkCount: 3, totalBytes: 153 });
  writer.close();
  return seals;
}

/** A worker that uploads. `answers` is what the next heartbeats' answers say beside the usual. */
function worker(spool: Spool, plane: FakeControlPlane, keepBytes: () => number, disk = new MemoryDisk()) {
  const inventory = new Inventory(
    Date.now,
    () => undefined,
    () => undefined,
  );
  const problems: string[] = [];
  const beats: HeartbeatRequest[] = [];
  const answers: Partial<HeartbeatAnswer>[] = [];
  const beat = plane.heartbeat.bind(plane);
  plane.heartbeat = async (request) => {
    beats.push(request);
    return { ...(await beat(request)), next_heartbeat_ms: 50, ...answers.shift() };
  };
  const uploading = new Uploading(
    spool,
    inventory,
    plane,
    {
      isLiveHere: () => false,
      storage: async () => plenty,
      keepBytes,
      freeKept: async () => (await freeAllKept(disk.directory)) > 0,
      recovered: () => undefined,
      completed: () => undefined,
      problem: ({ code }) => void problems.push(code),
      overQuota: () => undefined,
      dropLive: async () => false,
      askWriter: () => undefined,
      deleted: (id) => inventory.forget(id),
      limits: () => undefined,
      freed: () => undefined,
      standing: () => undefined,
    },
    { parallelPuts: 2, resumeWindowMs: 0, signal: stop.signal },
  );
  return { uploading, inventory, plane, problems, beats, answers };
}

type Worker = ReturnType<typeof worker>;

const within = { timeout: 8_000 };

/** Everything is sent, confirmed, released. */
async function released({ uploading, inventory, plane, answers, problems }: Worker, seals: Seal[]): Promise<void> {
  await uploading.start();
  await vi.waitFor(() => expect(plane.recordings.get(ID)?.complete).toBe(true), within);
  plane.confirmAll();
  answers.push({ releases: [{ recording_id: ID, chunks: seals.map(({ seq, sha256 }) => [seq, sha256]) }] });
  uploading.wake(true);
  const states = () => [...(inventory.get(ID)?.chunks.values() ?? [])].map(({ state }) => state);
  await vi.waitFor(() => expect(states()).toEqual(['released', 'released', 'released']), within);
  await vi.waitFor(() => expect(uploading.uploader.shipment(ID)).toBeUndefined(), within);
  expect(problems).toEqual([]);
}

function ticketFor(seal: Seal): Ticket {
  return {
    id: 't',
    recording_id: ID,
    seq: seal.seq,
    sha256: seal.sha256,
    reason: 'missing',
    put: { url: `again/${seal.seq}`, headers: {} },
    expires_at: new Date(Date.now() + 60_000).toISOString(),
  };
}

test('released chunks stay, are told as kept, and count as nothing that waits', async () => {
  const spool = await Spool.open(new MemoryDisk().directory, 'alice');
  const seals = await recorded(spool, ID);
  const found = worker(spool, new FakeControlPlane(), () => GIB);
  await released(found, seals);
  expect((await spool.load(ID))?.kept.map(({ seal }) => seal.seq)).toEqual([0, 1, 2]);
  expect(found.uploading.kept.totals).toEqual({ chunks: 3, bytes: 153 });
  expect(found.inventory.bytesHeld()).toBe(0);
  found.uploading.wake(true);
  const holding = [{ recording_id: ID, ranges: [], open: false, kept: [[0, 2]] }];
  await vi.waitFor(() => expect(found.beats.at(-1)?.holding).toEqual(holding), within);
  expect((await heldFiles(spool, ID, null)).length, 'nothing of it has to be saved').toBe(0);
});

test('turned off, they go at once, and the control plane hears that nothing is held', async () => {
  const disk = new MemoryDisk();
  const spool = await Spool.open(disk.directory, 'alice');
  const found = worker(spool, new FakeControlPlane(), () => 0);
  await released(found, await recorded(spool, ID));
  expect(await spool.recordingIds()).toEqual([]);
  await vi.waitFor(() => expect(found.beats.at(-1)?.holding).toEqual([]), within);
  const count = found.beats.length;
  found.uploading.wake(true);
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(found.beats.length, 'and then there is nothing more to say').toBe(count);
});

test('a visit later: nothing is shown, and what the bucket lost is sent from the copy, held until its next release', async () => {
  const disk = new MemoryDisk();
  const plane = new FakeControlPlane();
  const spool = await Spool.open(disk.directory, 'alice');
  const seals = await recorded(spool, ID);
  await released(
    worker(spool, plane, () => GIB),
    seals,
  );
  stop.abort();
  stop = new AbortController();

  const again = await Spool.open(disk.directory, 'alice');
  const found = worker(again, plane, () => GIB);
  const lost = seals[1] as Seal;
  const chunk = plane.recordings.get(ID)?.chunks.get(1);
  if (chunk) chunk.state = 'granted';
  found.answers.push({ tickets: [ticketFor(lost)] });
  await found.uploading.start();
  await vi.waitFor(() => expect(plane.objects.get('again/1')).toBe(51), within);
  await vi.waitFor(() => expect(found.inventory.get(ID)?.chunks.get(1)?.state).toBe('acked'), within);
  expect(found.inventory.get(ID)?.chunks.get(1)?.resent).toBe(1);
  expect(found.beats.every(({ gone }) => gone.length === 0)).toBe(true);
  const holding = [
    {
      recording_id: ID,
      ranges: [[1, 1]],
      open: false,
      kept: [
        [0, 0],
        [2, 2],
      ],
    },
  ];
  await vi.waitFor(() => expect(found.beats.at(-1)?.holding).toEqual(holding), within);
  // It is the only copy: no need of room may take it now, nor after a crash.
  expect(await freeAllKept(disk.directory)).toBe(50 + 52);
  const left = await (await Spool.open(disk.directory, 'alice')).load(ID);
  expect([...(left?.files.keys() ?? [])]).toEqual([1]);

  await found.uploading.onKeptFreed();
  found.answers.push({ releases: [{ recording_id: ID, chunks: [[1, lost.sha256]] }] });
  found.uploading.wake(true);
  await vi.waitFor(() => expect(found.uploading.kept.totals).toEqual({ chunks: 1, bytes: 51 }), within);
});

test('a ticket for a copy that was freed is answered as gone, and nothing of a recording that is over is left', async () => {
  const disk = new MemoryDisk();
  const spool = await Spool.open(disk.directory, 'alice');
  const seals = await recorded(spool, ID);
  const found = worker(spool, new FakeControlPlane(), () => GIB);
  await released(found, seals);
  await freeAllKept(disk.directory);
  found.answers.push({ tickets: [ticketFor(seals[0] as Seal)] });
  found.uploading.wake(true);
  await vi.waitFor(() => expect(found.beats.at(-1)?.gone).toEqual(['t']), within);
  await found.uploading.onKeptFreed();
  expect(found.uploading.kept.totals).toEqual({ chunks: 0, bytes: 0 });
  expect(await spool.recordingIds()).toEqual([]);
});

test('as room shrinks the oldest go, and the recording with the last of them', async () => {
  const spool = await Spool.open(new MemoryDisk().directory, 'alice');
  let limit = GIB;
  const found = worker(spool, new FakeControlPlane(), () => limit);
  await released(found, await recorded(spool, ID));
  limit = 110;
  found.uploading.wake(true);
  await vi.waitFor(() => expect(found.uploading.kept.totals).toEqual({ chunks: 2, bytes: 103 }), within);
  expect((await spool.load(ID))?.kept.map(({ seal }) => seal.seq)).toEqual([1, 2]);
  limit = 0;
  found.uploading.wake(true);
  await vi.waitFor(async () => expect(await spool.recordingIds()).toEqual([]), within);
});

test('a deletion takes the copies with it', async () => {
  const spool = await Spool.open(new MemoryDisk().directory, 'alice');
  const found = worker(spool, new FakeControlPlane(), () => GIB);
  await released(found, await recorded(spool, ID));
  found.answers.push({ discard: [ID] });
  found.uploading.wake(true);
  await vi.waitFor(async () => expect(await spool.recordingIds()).toEqual([]), within);
  expect(found.uploading.kept.totals.chunks).toBe(0);
});

test("another owner's copies are neither counted nor sent, and go too when room is needed; what was not released stays", async () => {
  const disk = new MemoryDisk();
  const bob = await Spool.open(disk.directory, 'bob');
  const seals = await recorded(bob, ID);
  await bob.release(ID, seals.slice(0, 2), { kept: 1 });
  const alice = await Spool.open(disk.directory, 'alice');
  await recorded(alice, OTHER);
  expect(await alice.foreignChunks()).toBe(1);
  const { uploading } = worker(alice, new FakeControlPlane(), () => GIB);
  await uploading.start();
  expect(uploading.kept.totals.chunks).toBe(0);
  expect(await freeAllKept(disk.directory)).toBe(101);
  expect([...((await bob.load(ID))?.files.keys() ?? [])]).toEqual([2]);
  expect((await alice.load(OTHER))?.files.size).toBe(3);
  expect(await freeAllKept(disk.directory)).toBe(0);
});

test('on a full disk a release keeps nothing and frees space', async () => {
  const disk = new MemoryDisk();
  const spool = await Spool.open(disk.directory, 'alice');
  const seals = await recorded(spool, ID);
  disk.free = 300;
  expect(await spool.release(ID, seals, { kept: 1 })).toBe(false);
  expect((await spool.load(ID))?.files.size).toBe(0);
  expect((await spool.load(ID))?.kept).toEqual([]);
});

test.each(['release', 'take back', 'free'] as const)(
  'whatever moment the machine dies in a %s: each chunk is held, or known to be released; a held one is whole',
  async (work) => {
    for (let steps = 0; steps < 10; steps += 1) {
      const disk = new MemoryDisk();
      const spool = await Spool.open(disk.directory, 'alice');
      const seals = await recorded(spool, ID);
      if (work !== 'release') await spool.release(ID, seals, { kept: 1 });
      disk.stepsLeft = steps;
      const doing = {
        release: () => spool.release(ID, seals, { kept: 1 }),
        'take back': () => spool.takeBack(ID, seals[0] as Seal),
        free: () => spool.free(ID, seals),
      };
      await doing[work]().catch((error: unknown) => expect(error).toBeInstanceOf(Crash));
      disk.reboot();
      const again = await Spool.open(disk.directory, 'alice');
      const found = await again.load(ID);
      if (!found) throw new Error('the recording is gone');
      await again.finishReleases(ID, found);
      for (const { seq, size } of seals) {
        const isReleased = found.releases.released.has(seq);
        expect(found.files.get(seq)?.size).toBe(isReleased ? undefined : size);
        if (!isReleased) expect(work).not.toBe('free');
      }
    }
  },
);
