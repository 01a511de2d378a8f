import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { sha256Hex } from '../../src/recorder/digest';
import type { Trouble } from '../../src/recorder/failure';
import { Feed } from '../../src/recorder/feed';
import type { FeedView } from '../../src/recorder/file-plan';
import { FileSource } from '../../src/recorder/file-source';
import { noteFinished, noteGone, uploadsOf } from '../../src/recorder/finished-files';
import type { Seal } from '../../src/recorder/journal';
import { Spool } from '../../src/recorder/spool';
import { MemoryDisk } from './support/memory-opfs';

const ID = '0192f0c0-0000-7000-8000-000000000001';
const BYTES = Uint8Array.from({ length: 100 }, (_, index) => index);
const FACTS = { name: 'film.webm', size: 100, lastModified: 5, chunkBytes: 30 };

const file = (bytes = BYTES, lastModified = 5) => new File([bytes], 'film.webm', { lastModified });
const sourceOf = (given: File) => new FileSource(given, { ...FACTS, size: given.size });

beforeEach(() => {
  vi.stubGlobal('navigator', { userAgentData: {} });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

async function begun(disk: MemoryDisk, source: FileSource, part: Partial<FeedView> = {}) {
  const spool = await Spool.open(disk.directory, 'owner');
  const facts = { id: ID, owner: 'owner', recorderId: 'r', mimeType: 'video/webm', title: '', startedAt: 0 };
  const known = await spool.load(ID);
  const writer = known ? await spool.write(ID) : await spool.create({ ...facts, file: source.facts });
  const view = { paused: false, recording: false, unsent: 0, heldBytes: 0, copyBytes: 1e9, roomBytes: 1e12, ...part };
  const sealed: Seal[] = [];
  const told: (Trouble | null)[] = [];
  const feed = new Feed(writer, source, {
    view: async () => view,
    sealed: (_id, seal) => void sealed.push(seal),
    trouble: (_id, problem) => void told.push(problem),
    inTurn: (work) => work(),
  });
  return { spool, feed, sealed, told, view };
}

test('a file with room is copied, chunk by chunk, and ended', async () => {
  const { spool, feed, sealed } = await begun(new MemoryDisk(), sourceOf(file()));
  expect(await feed.run()).toEqual({ chunkCount: 4, totalBytes: 100 });
  expect(sealed.map(({ size, held }) => [size, held])).toEqual([
    [30, undefined],
    [30, undefined],
    [30, undefined],
    [10, undefined],
  ]);
  for (const seal of sealed) {
    const bytes = new Uint8Array(await (await spool.chunkFile(ID, seal)).arrayBuffer());
    expect(bytes).toEqual(BYTES.slice(seal.seq * 30, seal.seq * 30 + 30));
    expect(await sha256Hex(bytes)).toBe(seal.sha256);
  }
});

test('a disk that takes no copy takes its notes: the file is read again when it is sent', async () => {
  const disk = new MemoryDisk();
  const source = sourceOf(file(new Uint8Array(20_000), 5));
  const large = new FileSource(file(new Uint8Array(20_000), 5), { ...source.facts, chunkBytes: 8_000 });
  const { spool, feed, sealed } = await begun(disk, large);
  disk.free = 9_500;
  await feed.run();
  expect(sealed.map(({ held }) => held)).toEqual([undefined, false, false]);
  const { files, journal } = (await spool.load(ID)) ?? {};
  expect([...(files?.keys() ?? [])]).toEqual([0]);
  expect(journal?.end?.chunkCount).toBe(3);
});

test('what a crash left of a copy is thrown away, and the chunk is read anew', async () => {
  const disk = new MemoryDisk();
  const first = await begun(disk, sourceOf(file()));
  disk.stepsLeft = 9;
  void first.feed.run().catch(() => undefined);
  await vi.waitFor(() => expect(first.told.length + first.sealed.length).toBeGreaterThan(0));
  await first.feed.abandon().catch(() => undefined);
  disk.reboot(() => 0.5);
  const { spool, feed } = await begun(disk, sourceOf(file()));
  await feed.run();
  const seals = (await spool.load(ID))?.journal.seals ?? [];
  expect(seals.map(({ size }) => size)).toEqual([30, 30, 30, 10]);
  for (const seal of seals) expect(await spool.isIntact(ID, seal)).toBe(true);
});

test('where the browser lets a changed file be read, a second look tells it', async () => {
  vi.stubGlobal('navigator', {});
  const source = sourceOf(file());
  const changed = BYTES.slice();
  changed[0] = 99;
  const read = source.read.bind(source);
  let reads = 0;
  source.read = (...place) => {
    reads += 1;
    return reads <= 4 ? read(...place) : sourceOf(file(changed)).read(...place);
  };
  const { spool, feed } = await begun(new MemoryDisk(), source, { roomBytes: null });
  await expect(feed.run()).rejects.toMatchObject({ code: 'source_changed' });
  expect((await spool.load(ID))?.journal.end).toBeNull();
});

test('paused it reads nothing that it cannot copy, and goes on when it is woken', async () => {
  const { feed, sealed, view } = await begun(new MemoryDisk(), sourceOf(file()), { roomBytes: null, paused: true });
  const done = feed.run();
  await new Promise((resolve) => setTimeout(resolve));
  expect(sealed).toEqual([]);
  view.paused = false;
  feed.wake();
  expect((await done)?.chunkCount).toBe(4);
});

test('a file that was uploaded is known by its bytes, whatever it is called, until it is gone', async () => {
  const { spool } = await begun(new MemoryDisk(), sourceOf(file()));
  const signal = new AbortController().signal;
  const digests = await Promise.all([0, 1, 2, 3].map(async (seq) => sha256Hex(await sourceOf(file()).read(seq))));
  await noteFinished(spool, ID, FACTS, digests);
  const [known] = await uploadsOf(spool, sourceOf(file(BYTES, 77)), signal);
  expect(known?.id).toBe(ID);
  for (const place of [0, 99]) {
    const other = BYTES.slice();
    other[place] = 200;
    expect(await uploadsOf(spool, sourceOf(file(other)), signal)).toEqual([]);
  }
  if (known) await noteGone(spool, known);
  expect(await uploadsOf(spool, sourceOf(file()), signal)).toEqual([]);
});

test('a source of another size is another file', () => {
  expect(() => new FileSource(file(BYTES.slice(1)), FACTS)).toThrow(
    expect.objectContaining({ code: 'source_changed' }),
  );
});
