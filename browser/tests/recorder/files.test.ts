/** Uploads of files that an earlier visit left: which go on by themselves, and which ask for their file. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Files } from '../../src/recorder/files';
import { Inventory } from '../../src/recorder/inventory';
import { Spool } from '../../src/recorder/spool';
import { Uploading } from '../../src/recorder/uploading';
import { FakeControlPlane } from './support/fake-control-plane';
import { MemoryLocks } from './support/memory-locks';
import { MemoryDisk } from './support/memory-opfs';

const ID = '0192f0c0-0000-7000-8000-000000000001';
const BYTES = Uint8Array.from({ length: 100 }, (_, index) => index);
const FACTS = { name: 'film.webm', size: 100, lastModified: 5, chunkBytes: 40 };
const CHUNKS = [40, 40, 20];
const CHROMIUM = { userAgentData: {} };

let stop = new AbortController();
afterEach(() => {
  stop.abort();
  stop = new AbortController();
  vi.unstubAllGlobals();
});
beforeEach(() => {
  vi.stubGlobal('navigator', { ...CHROMIUM, locks: new MemoryLocks() });
});

interface Left {
  /** How many chunks were sealed before the tab died. */
  sealed: number;
  copied?: boolean;
  ended?: boolean;
}

/** A disk as a tab left it that died while it read a file. */
async function left(disk: MemoryDisk, { sealed, copied = true, ended = false }: Left): Promise<Spool> {
  const spool = await Spool.open(disk.directory, 'alice');
  const { owner, recorderId } = spool;
  const facts = { id: ID, owner, recorderId, mimeType: 'video/webm', title: 'film', startedAt: 0, file: FACTS };
  const writer = await spool.create(facts);
  writer.startSegment();
  for (const [seq, size] of CHUNKS.slice(0, sealed).entries()) {
    const bytes = BYTES.slice(seq * 40, seq * 40 + size);
    if (copied) await writer.write(bytes, 0, 0).then(() => writer.seal());
    else await writer.sealUncopied(size, String(seq).repeat(64));
  }
  if (ended) writer.end({ chunkCount: 3, totalBytes: 100 });
  writer.close();
  return spool;
}

/** The worker of the next visit. */
function worker(spool: Spool, plane: FakeControlPlane) {
  const inventory = new Inventory(
    Date.now,
    () => undefined,
    () => undefined,
  );
  const problem = () => undefined;
  let uploading: Uploading | null = null;
  const files = new Files(
    inventory,
    {
      spool: () => spool,
      plane: () => plane,
      uploading: () => uploading,
      toTabs: () => undefined,
      problem,
      roomBytes: async () => null,
      copyBytes: () => 0,
    },
    stop.signal,
  );
  uploading = new Uploading(
    spool,
    inventory,
    plane,
    {
      isLiveHere: (id) => files.get(id) !== undefined,
      storage: async () => ({ persisted: null, usage: null, quota: null }),
      keepBytes: () => 0,
      freeKept: async () => false,
      recovered: () => undefined,
      completed: () => undefined,
      problem,
      overQuota: () => undefined,
      dropLive: async () => false,
      askWriter: () => undefined,
      deleted: () => undefined,
      limits: () => undefined,
      freed: () => undefined,
      standing: () => undefined,
    },
    { parallelPuts: 2, resumeWindowMs: 0, signal: stop.signal, files },
  );
  return { inventory, uploading, files };
}

const isComplete = (plane: FakeControlPlane) => plane.recordings.get(ID)?.complete;

test('all copied, and its end was not noted: it is completed without its file', async () => {
  const plane = new FakeControlPlane();
  const { inventory, uploading } = worker(await left(new MemoryDisk(), { sealed: 3 }), plane);
  await uploading.start();
  await vi.waitFor(() => expect(isComplete(plane)).toBe(true), { timeout: 5_000 });
  expect(inventory.get(ID)?.file?.sourceNeeded).toBe(false);
});

test('where the browser lets a changed file be read, its end takes a second look at it', async () => {
  vi.stubGlobal('navigator', { locks: new MemoryLocks() });
  const plane = new FakeControlPlane();
  const { inventory, uploading, files } = worker(await left(new MemoryDisk(), { sealed: 3 }), plane);
  await uploading.start();
  await vi.waitFor(() => expect(inventory.get(ID)?.file?.sourceNeeded).toBe(true));
  const file = new File([BYTES], 'film.webm', { lastModified: 5 });
  await files.begin({ id: '', file, handle: null, title: '', mimeType: null, resume: ID, again: false });
  await vi.waitFor(() => expect(isComplete(plane)).toBe(true), { timeout: 5_000 });
});

test('not all of it was read: what is here is sent, and the file is asked for', async () => {
  const plane = new FakeControlPlane();
  const { inventory, uploading } = worker(await left(new MemoryDisk(), { sealed: 2 }), plane);
  await uploading.start();
  await vi.waitFor(() => expect(plane.objects.size).toBe(2), { timeout: 5_000 });
  expect(inventory.get(ID)?.file?.sourceNeeded).toBe(true);
  expect(isComplete(plane)).toBe(false);
});

test('all in the bucket, none of it here, and its end was not noted: it is completed', async () => {
  const disk = new MemoryDisk();
  const spool = await left(disk, { sealed: 3, copied: false });
  const plane = new FakeControlPlane();
  const { facts, journal } = (await spool.load(ID)) ?? {};
  if (!facts || !journal) throw new Error('nothing was left');
  await plane.start(ID, { recorder_id: facts.recorderId, source: 'file', mime_type: 'video/webm' });
  for (const { seq, segment, size, sha256 } of journal.seals) {
    const [granted] = await plane.grants(ID, [{ seq, segment, size, sha256 }]);
    if (granted?.state === 'granted') await plane.put(granted.put, new Blob(['x'.repeat(size)]));
    await plane.acks(ID, [{ seq }]);
  }
  const { uploading, inventory } = worker(spool, plane);
  await uploading.start();
  await vi.waitFor(() => expect(isComplete(plane)).toBe(true), { timeout: 5_000 });
  expect(inventory.get(ID)?.file?.sourceNeeded).toBe(false);
});

test('a copy that is gone is read from the file again, which is asked for', async () => {
  const disk = new MemoryDisk();
  const spool = await left(disk, { sealed: 3, ended: true });
  const owner = [...disk.root.children.values()].find((child) => 'children' in child);
  const recording = await (owner as unknown as FileSystemDirectoryHandle).getDirectoryHandle(ID);
  await recording.removeEntry('00000001-0000');
  const plane = new FakeControlPlane();
  const { inventory, uploading, files } = worker(spool, plane);
  await uploading.start();
  await vi.waitFor(() => expect(plane.objects.size).toBe(2), { timeout: 5_000 });
  expect(inventory.get(ID)?.file?.sourceNeeded).toBe(true);
  const file = new File([BYTES], 'film.webm', { lastModified: 5 });
  await files.begin({ id: '', file, handle: null, title: '', mimeType: null, resume: ID, again: false });
  await vi.waitFor(() => expect(isComplete(plane)).toBe(true), { timeout: 5_000 });
});
