import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { HeartbeatAnswer } from '../../src/recorder/control-plane';
import { Deletions } from '../../src/recorder/deletions';
import type { Trouble } from '../../src/recorder/failure';
import { Inventory } from '../../src/recorder/inventory';
import type { LiveRecording } from '../../src/recorder/live';
import { type HeldLock, holdLock, lockNames } from '../../src/recorder/locks';
import { refile } from '../../src/recorder/refiling';
import { Spool } from '../../src/recorder/spool';
import type { BetweenTabs } from '../../src/recorder/spool-protocol';
import type { RecordingDeleted } from '../../src/recorder/types';
import { Uploading } from '../../src/recorder/uploading';
import { FakeControlPlane, failure } from './support/fake-control-plane';
import { MemoryLocks } from './support/memory-locks';
import { MemoryDisk } from './support/memory-opfs';

const IDS = ['0192f0c0-0000-7000-8000-000000000001', '0192f0c0-0000-7000-8000-000000000002'] as const;
const [ID, OTHER] = IDS;

let stop = new AbortController();
beforeEach(() => {
  vi.stubGlobal('navigator', { locks: new MemoryLocks() });
});
afterEach(() => {
  stop.abort();
  stop = new AbortController();
  vi.unstubAllGlobals();
});

/** A disk with two recordings of two chunks each, ended. */
async function leftovers(disk: MemoryDisk): Promise<Spool> {
  const spool = await Spool.open(disk.directory, 'alice');
  for (const id of IDS) {
    const { owner, recorderId } = spool;
    const writer = await spool.create({ id, owner, recorderId, mimeType: 'video/webm', title: id, startedAt: 0 });
    writer.startSegment();
    for (const at of [0, 1]) {
      await writer.write(new Uint8Array(50 + at), at, at + 1);
      await writer.seal();
    }
    writer.end({ chunkCount: 2, totalBytes: 101 });
    writer.close();
  }
  return spool;
}

/** A worker that uploads, as far as deletions go. `discards` is what the next heartbeats' answers say. */
function worker(spool: Spool, plane: FakeControlPlane) {
  const inventory = new Inventory(
    Date.now,
    () => undefined,
    () => undefined,
  );
  const told: RecordingDeleted[] = [];
  const problems: string[] = [];
  const sent: BetweenTabs[] = [];
  const discards: string[] = [];
  const live = new Map<string, { recording: LiveRecording; lock: HeldLock }>();
  const problem = ({ code }: Trouble) => void problems.push(code);
  const beat = plane.heartbeat.bind(plane);
  plane.heartbeat = async (request): Promise<HeartbeatAnswer> => ({ ...(await beat(request)), discard: discards });
  let uploads = true;
  const deletions: Deletions = new Deletions(
    inventory,
    live,
    {
      plane: () => plane,
      spool: () => spool,
      uploader: () => (uploads ? uploading : null),
      toTabs: (message) => sent.push(message),
      tell: (event) => told.push(event),
      problem,
    },
    stop.signal,
  );
  const uploading: Uploading = new Uploading(
    spool,
    inventory,
    plane,
    {
      isLiveHere: (id) => live.has(id),
      storage: async () => ({ persisted: null, usage: null, quota: null }),
      keepBytes: () => 0,
      freeKept: async () => false,
      recovered: () => undefined,
      completed: () => undefined,
      problem,
      overQuota: () => undefined,
      dropLive: (id) => deletions.dropLive(id),
      askWriter: (id) => sent.push({ type: 'deleted', id }),
      deleted: (id) => deletions.onDeleted(id),
      limits: () => undefined,
      freed: () => undefined,
      standing: () => undefined,
    },
    { parallelPuts: 2, resumeWindowMs: 0, signal: stop.signal },
  );
  const uploadElsewhere = () => {
    uploads = false;
  };
  return { inventory, uploading, deletions, told, problems, sent, discards, uploadElsewhere };
}

test('what a heartbeat says is discarded goes, all of it, once, and nothing else does', async () => {
  const spool = await leftovers(new MemoryDisk());
  const plane = new FakeControlPlane();
  plane.fault = (call) => (call === 'grants' || call === 'complete' ? 503 : null);
  const { uploading, inventory, told, problems, discards } = worker(spool, plane);
  discards.push(ID, ID, '../identity', '0192f0c0-0000-7000-8000-00000000000f');
  await uploading.start();
  await vi.waitFor(async () => expect(await spool.recordingIds()).toEqual([OTHER]), { timeout: 5_000 });
  await vi.waitFor(() => expect(told).toHaveLength(1));
  const deleted = { type: 'deleted', recordingId: ID, title: ID, wasRecording: false, requested: false };
  expect(told[0]).toEqual({ ...deleted, durationMs: 2 });
  expect(inventory.get(ID)).toBeUndefined();
  expect((await spool.load(OTHER))?.files.size).toBe(2);
  expect(problems).toEqual([]);
});

test('a deletion that a crash cut off is finished at the next visit, and nothing of it is sent or shown', async () => {
  const disk = new MemoryDisk();
  const spool = await leftovers(disk);
  disk.stepsLeft = 5;
  await spool.discard(ID).catch(() => undefined);
  disk.reboot();
  const again = await Spool.open(disk.directory, 'alice');
  expect(await again.recordingIds()).toContain(ID);
  const plane = new FakeControlPlane();
  const { uploading, inventory } = worker(again, plane);
  await uploading.start();
  expect(await again.recordingIds()).not.toContain(ID);
  expect(inventory.get(ID)).toBeUndefined();
  expect(plane.calls.filter(({ id }) => id === ID)).toEqual([]);
});

test('asked for by the page: the server first, then this device', async () => {
  const spool = await leftovers(new MemoryDisk());
  const plane = new FakeControlPlane();
  const { uploading, deletions, told } = worker(spool, plane);
  await uploading.start();
  await vi.waitFor(() => expect(plane.recordings.has(ID)).toBe(true));
  plane.fault = (call) => (call === 'delete' ? 'drop' : null);
  await expect(deletions.delete({ type: 'delete', request: 1, id: ID, localOnly: false })).rejects.toMatchObject({
    code: 'delete_failed',
  });
  expect(await spool.recordingIds()).toContain(ID);
  plane.fault = () => null;
  await deletions.delete({ type: 'delete', request: 2, id: ID, localOnly: false });
  expect(plane.deleted.has(ID)).toBe(true);
  expect(await spool.recordingIds()).not.toContain(ID);
  expect(told).toMatchObject([{ recordingId: ID, requested: true }]);
});

test('while another tab uploads, the files go all the same, and that tab is told', async () => {
  const spool = await leftovers(new MemoryDisk());
  const plane = new FakeControlPlane();
  const { inventory, deletions, told, sent, uploadElsewhere } = worker(spool, plane);
  uploadElsewhere();
  const found = await spool.load(ID);
  if (!found) throw new Error('nothing was left over');
  inventory.open(found.facts);
  await deletions.delete({ type: 'delete', request: 1, id: ID, localOnly: true });
  expect(sent).toEqual([{ type: 'deleted', id: ID }]);
  expect(await spool.recordingIds()).toEqual([OTHER]);
  expect(told).toMatchObject([{ recordingId: ID, requested: true }]);
  expect(deletions.wasTold(ID)).toBe(true);
});

test('a recording that another tab writes is left to that tab until it lets go', async () => {
  const spool = await leftovers(new MemoryDisk());
  const { uploading, sent } = worker(spool, new FakeControlPlane());
  const writer = await holdLock(lockNames.recording('alice', ID), {});
  await uploading.discard(ID);
  expect(sent).toEqual([{ type: 'deleted', id: ID }]);
  expect(await spool.recordingIds()).toContain(ID);
  writer?.release();
  await vi.waitFor(async () => expect(await spool.recordingIds()).toEqual([OTHER]));
});

test('what comes back from calls that were under way when it was deleted is not said', async () => {
  const spool = await leftovers(new MemoryDisk());
  const plane = new FakeControlPlane();
  const { uploading, problems } = worker(spool, plane);
  const grants = plane.grants.bind(plane);
  let fail: (error: Error) => void = () => undefined;
  plane.grants = (id, asked) =>
    id === ID
      ? new Promise((_, reject) => {
          fail = reject;
        })
      : grants(id, asked);
  await uploading.start();
  await vi.waitFor(() => expect(plane.recordings.has(ID)).toBe(true));
  await uploading.discard(ID);
  fail(failure(403, 'scope_missing'));
  await vi.waitFor(() => expect(plane.recordings.get(OTHER)?.complete).toBe(true), { timeout: 5_000 });
  expect(problems).toEqual([]);
});

/** The control plane has chunk 1 of the recording as a twin of this profile sent it. */
async function withATwin(plane: FakeControlPlane): Promise<void> {
  const request = { recorder_id: 'twin', source: 'recorder' as const, mime_type: 'video/webm', title: '' };
  await plane.start(ID, request);
  await plane.grants(ID, [{ seq: 1, segment: 0, size: 9, sha256: 'of the twin' }]);
}

/** The recordings that the control plane has, but for those that were there from the start. */
function copies(plane: FakeControlPlane): string[] {
  return [...plane.recordings.keys()].filter((id) => !IDS.includes(id as typeof ID));
}

test('what a cloned profile recorded under numbers that its twin gave too becomes a recording of its own', async () => {
  const spool = await leftovers(new MemoryDisk());
  const plane = new FakeControlPlane();
  await withATwin(plane);
  const sealed = (await spool.load(ID))?.journal.seals[1];
  const { uploading, inventory, problems } = worker(spool, plane);
  await uploading.start();
  await vi.waitFor(() => expect(copies(plane)).toHaveLength(1), { timeout: 5_000 });
  const [copy = ''] = copies(plane);
  await vi.waitFor(() => expect(plane.recordings.get(copy)?.complete).toBe(true), { timeout: 5_000 });
  expect([...(plane.recordings.get(copy)?.chunks.values() ?? [])]).toMatchObject([
    { seq: 0, segment: 0, size: 51, sha256: sealed?.sha256 },
  ]);
  expect(problems).toEqual(['chunk_conflict', 'recording_refiled']);
  expect(inventory.get(copy)?.facts.title).toBe(`${ID} (second copy)`);
  expect(inventory.get(ID)).toMatchObject({ stuck: false, problem: undefined });
  // The other chunk is sent as ever, and the twin completes what is the twin's.
  expect(plane.recordings.get(ID)?.chunks.get(0)?.state).toBe('acked');
  expect(plane.recordings.get(ID)?.complete).toBe(false);
  expect((await spool.load(ID))?.files.size).toBe(1);
});

test('a death at any step of it loses nothing, and the next visit ends it', async () => {
  for (let steps = 0; steps < 60; steps += 1) {
    const disk = new MemoryDisk();
    const spool = await leftovers(disk);
    const seals = (await spool.load(ID))?.journal.seals ?? [];
    const facts = (await spool.load(ID))?.facts;
    if (!facts) throw new Error('nothing was left over');
    disk.stepsLeft = steps;
    const died = await refile(spool, facts, seals).then(
      () => false,
      () => true,
    );
    disk.reboot();
    const again = await Spool.open(disk.directory, 'alice');
    const found = await again.load(ID);
    const left = seals.filter(({ seq }) => found?.files.has(seq));
    const copy = left.length > 0 ? await refile(again, facts, left) : null;
    const kept = new Set<string>();
    for (const id of await again.recordingIds()) {
      if (id === ID || id === OTHER) continue;
      const there = await again.load(id);
      for (const seal of there?.journal.seals ?? []) if (await again.isIntact(id, seal)) kept.add(seal.sha256);
    }
    expect(kept).toEqual(new Set(seals.map(({ sha256 }) => sha256)));
    expect((await again.load(ID))?.files.size).toBe(0);
    if (!died) expect(copy).toBeNull();
    if (!died) return;
  }
  throw new Error('it never got to its end');
}, 30_000);
