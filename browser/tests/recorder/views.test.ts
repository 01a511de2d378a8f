import { expect, test } from 'vitest';
import { Inventory, totalsOf } from '../../src/recorder/inventory';
import { applyChanges, EMPTY_SNAPSHOT, mergeChunks } from '../../src/recorder/mirror';
import { bytesThatFit, dueInMs, isFull } from '../../src/recorder/sealing';
import type { Standing } from '../../src/recorder/spool-protocol';
import { subjectOf } from '../../src/recorder/token';
import type { ChunkState, ChunkView } from '../../src/recorder/types';
import { uuidv7 } from '../../src/recorder/uuid';

const chunk = (seq: number, state: ChunkState): ChunkView => ({
  seq,
  segment: 0,
  state,
  size: 10,
  sha256: 's',
  startMs: seq * 100,
  durationMs: 100,
  times: {},
  resent: 0,
});

test.each([
  { states: [], safeMs: 0, only: 0 },
  { states: ['writing'], safeMs: 0, only: 1 },
  { states: ['released', 'confirmed'], safeMs: 200, only: 0 },
  { states: ['released', 'acked', 'confirmed'], safeMs: 100, only: 1 },
  { states: ['confirmed', 'resending', 'writing'], safeMs: 100, only: 2 },
] as { states: ChunkState[]; safeMs: number; only: number }[])('safe time of $states', ({ states, safeMs, only }) => {
  const totals = totalsOf(states.map((state, seq) => chunk(seq, state)));
  expect(totals).toMatchObject({ bytes: states.length * 10, safeMs, chunksOnlyHere: only, bytesOnlyHere: only * 10 });
});

const FACTS = { id: 'r', owner: 'alice', recorderId: 'd', mimeType: 'video/webm', title: '', startedAt: 0 };
const STANDING: Standing = { ...EMPTY_SNAPSHOT, owner: 'alice' };

test('a delta names only what changed, and the page shares the rest', () => {
  const inventory = new Inventory(
    () => 1,
    () => undefined,
    () => undefined,
  );
  inventory.open(FACTS, { live: true });
  inventory.open({ ...FACTS, id: 'other' });
  for (let seq = 0; seq < 3; seq += 1) inventory.put('r', chunk(seq, 'on_disk'));
  const first = applyChanges(EMPTY_SNAPSHOT, inventory.takeDeltas(), STANDING);
  inventory.move('r', 1, 'acked');
  const deltas = inventory.takeDeltas();
  expect(deltas.map(({ id, chunks }) => [id, chunks.map(({ seq }) => seq)])).toEqual([['r', [1]]]);
  const second = applyChanges(first, deltas, STANDING);
  const [before, after] = [first, second].map(({ recordings }) => recordings.find(({ id }) => id === 'r')?.chunks);
  expect(after?.[0]).toBe(before?.[0]);
  expect(after?.[1]?.state).toBe('acked');
  expect(before?.[1]?.state).toBe('on_disk');
  expect(second.recordings.find(({ id }) => id === 'other')).toBe(first.recordings.find(({ id }) => id === 'other'));
});

test('times are of the first time, and only a proven chunk counts as sent again', () => {
  let now = 1;
  const inventory = new Inventory(
    () => now,
    () => undefined,
    () => undefined,
  );
  const entry = inventory.open(FACTS);
  inventory.put('r', chunk(0, 'on_disk'));
  for (const state of ['uploading', 'acked', 'resending', 'in_bucket', 'resending', 'acked'] as const) {
    now += 1;
    inventory.move('r', 0, state);
  }
  expect(entry.chunks.get(0)).toMatchObject({
    state: 'acked',
    resent: 1,
    times: { uploading: 2, acked: 3, resending: 4 },
  });
});

test("another tab's news do not touch what this one writes", () => {
  const uploader = new Inventory(
    () => 1,
    () => undefined,
    () => undefined,
  );
  uploader.open(FACTS, { live: true });
  uploader.put('r', chunk(0, 'released'));
  uploader.put('r', chunk(1, 'on_disk'));
  const writer = new Inventory(
    () => 1,
    () => undefined,
    () => undefined,
  );
  const entry = writer.open(FACTS, { live: true });
  writer.put('r', chunk(0, 'on_disk'));
  writer.put('r', chunk(1, 'writing'));
  for (const delta of uploader.takeDeltas()) writer.applyRemote(delta, true);
  expect([...entry.chunks.values()].map(({ state }) => state)).toEqual(['released', 'writing']);
});

test('chunks that come out of order are put in order', () => {
  const merged = mergeChunks([chunk(0, 'on_disk'), chunk(3, 'on_disk')], [chunk(2, 'acked'), chunk(3, 'acked')]);
  expect(merged.map(({ seq, state }) => [seq, state])).toEqual([
    [0, 'on_disk'],
    [2, 'acked'],
    [3, 'acked'],
  ]);
});

test('sealing: by size, by age, and never beyond what the control plane takes', () => {
  const limits = { chunkBytes: 100, chunkMs: 5_000, maxChunkBytes: 150 };
  expect(bytesThatFit(90, 80, limits)).toBe(60);
  expect(bytesThatFit(150, 80, limits)).toBe(0);
  expect(isFull(99, limits)).toBe(false);
  expect(isFull(100, limits)).toBe(true);
  expect(isFull(60, { ...limits, maxChunkBytes: 60 })).toBe(true);
  expect(dueInMs(1_000, limits)).toBe(4_000);
  expect(dueInMs(9_000, limits)).toBe(0);
});

test('the owner is read from a token, and opaque tokens have none', () => {
  const payload = btoa(String.fromCharCode(...new TextEncoder().encode(JSON.stringify({ sub: 'søren' }))));
  expect(subjectOf(`h.${payload.replace(/=+$/, '')}.s`)).toBe('søren');
  expect(subjectOf('opaque')).toBeNull();
  expect(subjectOf('a.b.c')).toBeNull();
});

test('ids are UUIDv7 and sort by birth', () => {
  const id = uuidv7(0x0192f0c0aabb);
  expect(id).toMatch(/^0192f0c0-aabb-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(uuidv7(1) < uuidv7(2)).toBe(true);
});
