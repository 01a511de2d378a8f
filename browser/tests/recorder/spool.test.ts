import { expect, test, vi } from 'vitest';
import { sha256Hex } from '../../src/recorder/digest';
import type { Trouble } from '../../src/recorder/failure';
import type { RecordingFacts, Seal } from '../../src/recorder/journal';
import { LiveRecording } from '../../src/recorder/live';
import { Spool } from '../../src/recorder/spool';
import type { SpoolWriter } from '../../src/recorder/writer';
import { Crash, MemoryDisk } from './support/memory-opfs';

const ID = '0192f0c0-0000-7000-8000-000000000001';

function factsOf(spool: Spool, id = ID): RecordingFacts {
  return {
    id,
    owner: spool.owner,
    recorderId: spool.recorderId,
    mimeType: 'video/webm',
    title: '',
    startedAt: Date.now(),
  };
}

async function begin(disk = new MemoryDisk()): Promise<{ disk: MemoryDisk; spool: Spool; writer: SpoolWriter }> {
  const spool = await Spool.open(disk.directory, 'alice');
  const writer = await spool.create(factsOf(spool));
  writer.startSegment();
  return { disk, spool, writer };
}

const bytesOf = (...values: number[]) => new Uint8Array(values);

test('the recorder id outlives a visit and belongs to one owner', async () => {
  const disk = new MemoryDisk();
  const first = await Spool.open(disk.directory, 'alice');
  expect((await Spool.open(disk.directory, 'alice')).recorderId).toBe(first.recorderId);
  expect((await Spool.open(disk.directory, 'bob')).recorderId).not.toBe(first.recorderId);
});

test('a seal tells what the file holds', async () => {
  const { spool, writer } = await begin();
  await writer.write(bytesOf(1, 2), 0, 100);
  await writer.write(bytesOf(3), 100, 250);
  const seal = await writer.seal();
  expect(seal).toEqual({
    seq: 0,
    segment: 0,
    size: 3,
    sha256: await sha256Hex(bytesOf(1, 2, 3)),
    startMs: 0,
    durationMs: 250,
  });
  expect(await (await spool.chunkFile(ID, seal as Seal)).bytes?.()).toEqual(bytesOf(1, 2, 3));
});

test('sealing nothing gives nothing and uses up no number', async () => {
  const { writer } = await begin();
  expect(await writer.seal()).toBeNull();
  await writer.write(bytesOf(1), 0, 1);
  expect((await writer.seal())?.seq).toBe(0);
});

test('released chunks go, their numbers do not come back', async () => {
  const { spool, writer } = await begin();
  await writer.write(bytesOf(1), 0, 1);
  const seal = (await writer.seal()) as Seal;
  writer.close();
  await spool.release(ID, [seal]);
  await spool.release(ID, [seal]);
  const found = await spool.load(ID);
  expect(found?.files.size).toBe(0);
  expect(found?.releases.released.get(0)).toBe(seal.sha256);
  const again = await spool.write(ID);
  expect(again.startSegment().segment).toBe(1);
  await again.write(bytesOf(2), 1, 2);
  expect(await again.seal()).toMatchObject({ seq: 1, segment: 1 });
});

test('a release noted before a crash is finished at the next visit', async () => {
  const { spool, writer } = await begin();
  await writer.write(bytesOf(1), 0, 1);
  const seal = (await writer.seal()) as Seal;
  writer.close();
  await spool.note(ID, { t: 'release', seq: 0, sha256: seal.sha256 });
  const found = await spool.load(ID);
  if (!found) throw new Error('the recording is gone');
  expect(found.files.size).toBe(1);
  await spool.finishReleases(ID, found);
  expect((await spool.load(ID))?.files.size).toBe(0);
});

test('on a full disk a release still frees space', async () => {
  const { disk, spool, writer } = await begin();
  await writer.write(new Uint8Array(500), 0, 1);
  const seal = (await writer.seal()) as Seal;
  disk.free = 0;
  await spool.release(ID, [seal]);
  expect(disk.free).toBeGreaterThan(300);
  expect((await spool.load(ID))?.releases.released.has(0)).toBe(true);
});

test('whatever moment the machine dies in a release: the chunk is whole, or known to be released', async () => {
  for (let steps = 0; steps < 12; steps += 1) {
    const { disk, spool, writer } = await begin();
    await writer.write(new Uint8Array(500), 0, 1);
    const seal = (await writer.seal()) as Seal;
    disk.free = steps % 2 === 0 ? 0 : 10_000;
    disk.stepsLeft = steps;
    await spool.release(ID, [seal]).catch((error: unknown) => expect(error).toBeInstanceOf(Crash));
    disk.reboot();
    disk.free = 10_000;
    const found = await spool.load(ID);
    if (!found) throw new Error('the recording is gone');
    await spool.finishReleases(ID, found);
    const isReleased = found.releases.released.get(0) === seal.sha256;
    expect([isReleased, found.files.get(0)?.size]).toEqual(isReleased ? [true, undefined] : [false, 500]);
  }
});

test('whatever moment the machine dies in a deletion: the next visit finishes it, and nothing of it is sent', async () => {
  for (let steps = 0; steps < 14; steps += 1) {
    const { disk, spool, writer } = await begin();
    for (const at of [0, 1]) {
      await writer.write(new Uint8Array(50), at, at + 1);
      await writer.seal();
    }
    await writer.write(new Uint8Array(9), 2, 3);
    writer.close();
    disk.stepsLeft = steps;
    const finished = await spool.discard(ID).then(
      () => true,
      (error: unknown) => {
        expect(error).toBeInstanceOf(Crash);
        return false;
      },
    );
    disk.reboot();
    // Whole and still to be told by the control plane, or noted and to be finished: never half of it without the note.
    const left = await Spool.open(disk.directory, 'alice');
    if (!finished && !(await left.isDiscarded(ID))) {
      const found = await left.load(ID);
      expect([undefined, 3]).toContain(found?.files.size);
    }
    await left.discard(ID);
    expect(await left.recordingIds()).toEqual([]);
    await left.discard(ID);
  }
});

test('on a full disk a deletion still goes through', async () => {
  const { disk, spool, writer } = await begin();
  await writer.write(new Uint8Array(500), 0, 1);
  writer.close();
  disk.free = 0;
  await spool.discard(ID);
  expect(await spool.recordingIds()).toEqual([]);
});

test("a deletion touches one recording of one owner, and nothing that is not a recording's name", async () => {
  const { disk, spool, writer } = await begin();
  await writer.write(bytesOf(1), 0, 1);
  writer.close();
  const bob = await Spool.open(disk.directory, 'bob');
  await bob.discard(ID);
  await spool.discard('identity');
  await spool.discard(ID.replace('1', '2'));
  expect((await spool.load(ID))?.files.size).toBe(1);
});

test('a recording that is deleted while it is written lets go of its files, also of a slice that the disk refuses', async () => {
  const { disk, spool, writer } = await begin();
  const { recording, troubles, seals } = live(writer, { chunkBytes: 1_000, chunkMs: 60_000, maxChunkBytes: 1_000 });
  recording.slice(new Blob([new Uint8Array(100)]), 0, 1);
  await vi.waitFor(() => expect(writer.openSize).toBe(100));
  disk.free = 0;
  recording.slice(new Blob([new Uint8Array(4_000)]), 1, 2);
  await vi.waitFor(() => expect(troubles.at(-1)?.code).toBe('storage_full'));
  await recording.abandon();
  recording.slice(new Blob(['late']), 2, 3);
  await recording.end();
  await spool.discard(ID);
  expect(await spool.recordingIds()).toEqual([]);
  expect(seals).toEqual([]);
});

test("another owner's chunks are counted and not touched", async () => {
  const { disk, writer } = await begin();
  await writer.write(bytesOf(1), 0, 1);
  const bob = await Spool.open(disk.directory, 'bob');
  expect(await bob.foreignChunks()).toBe(1);
  expect(await bob.recordingIds()).toEqual([]);
});

test('a living writer keeps its open chunk', async () => {
  const { spool, writer } = await begin();
  await writer.write(bytesOf(1), 0, 1);
  await expect(spool.settle(ID, true)).rejects.toMatchObject({ name: 'NoModificationAllowedError' });
  await writer.write(bytesOf(2), 1, 2);
  expect((await writer.seal())?.size).toBe(2);
});

test('whatever moment the machine dies: flushed slices are a prefix of what is found', async () => {
  for (let round = 0; round < 150; round += 1) await dieOnce(round);
});

/** Records until the disk dies at a random step, reboots, settles, and compares. */
async function dieOnce(seed: number): Promise<void> {
  const random = seeded(seed);
  const { disk, spool, writer } = await begin();
  const flushed: number[] = [];
  const sealed: Seal[] = [];
  disk.stepsLeft = Math.floor(random() * 60);
  try {
    for (let n = 0; n < 40; n += 1) {
      const slice = Array.from({ length: 1 + Math.floor(random() * 5) }, () => Math.floor(random() * 256));
      await writer.write(bytesOf(...slice), n, n + 1);
      flushed.push(...slice);
      if (random() < 0.3) sealed.push((await writer.seal()) as Seal);
    }
  } catch (error) {
    if (!(error instanceof Crash)) throw error;
  }
  disk.reboot(random);
  const settled = await spool.settle(ID, true);
  const found: number[] = [];
  for (const [seq, seal] of settled.seals.entries()) {
    expect(seal.seq).toBe(seq);
    const file = await spool.chunkFile(ID, seal);
    const bytes = new Uint8Array(await file.arrayBuffer());
    expect(await sha256Hex(bytes)).toBe(seal.sha256);
    found.push(...bytes);
  }
  expect(found.slice(0, flushed.length)).toEqual(flushed);
  expect(settled.seals.slice(0, sealed.length)).toEqual(sealed);
  expect(settled.end).toEqual({ chunkCount: settled.seals.length, totalBytes: found.length });
}

/** A small generator (mulberry32), so that a failing round can be repeated. */
function seeded(seed: number): () => number {
  let a = seed + 1;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const LIMITS = { chunkBytes: 4, chunkMs: 60_000, maxChunkBytes: 6 };

function live(writer: SpoolWriter, limits = LIMITS, makeRoom = async () => false) {
  const seals: Seal[] = [];
  const troubles: (Trouble | null)[] = [];
  const recording = new LiveRecording(writer, limits, {
    flushed: () => undefined,
    sealed: (seal) => seals.push(seal),
    makeRoom,
    trouble: (problem) => troubles.push(problem),
  });
  return { recording, seals, troubles };
}

test('a slice bigger than a chunk may be is split, an empty one is dropped', async () => {
  const { writer } = await begin();
  const { recording, seals } = live(writer);
  recording.slice(new Blob([]), 0, 1);
  recording.slice(new Blob([new Uint8Array(15)]), 1, 2);
  expect(await recording.end()).toEqual({ chunkCount: 3, totalBytes: 15 });
  expect(seals.map(({ seq, size }) => [seq, size])).toEqual([
    [0, 6],
    [1, 6],
    [2, 3],
  ]);
});

test('a chunk that gets no more slices is sealed by time', async () => {
  const { writer } = await begin();
  const { recording, seals } = live(writer, { ...LIMITS, chunkMs: 20 });
  recording.slice(new Blob(['x']), 0, 1);
  await vi.waitFor(() => expect(seals).toHaveLength(1));
  expect(await recording.end()).toEqual({ chunkCount: 1, totalBytes: 1 });
});

test('a full disk: what is written is sealed, the slice waits, and nothing is lost', async () => {
  const { disk, writer } = await begin();
  const { recording, seals, troubles } = live(writer, { chunkBytes: 1_000, chunkMs: 60_000, maxChunkBytes: 1_000 });
  recording.slice(new Blob([new Uint8Array(100)]), 0, 1);
  await vi.waitFor(() => expect(writer.openSize).toBe(100));
  disk.free = 300; // Room for the journal's lines, not for the slice.
  recording.slice(new Blob([new Uint8Array(400)]), 1, 2);
  await vi.waitFor(() => expect(troubles.at(-1)?.code).toBe('storage_full'));
  await vi.waitFor(() => expect(seals).toHaveLength(1));
  disk.free = 10_000;
  recording.wake();
  expect(await recording.end()).toEqual({ chunkCount: 2, totalBytes: 500 });
  expect(troubles.at(-1)).toBeNull();
});
