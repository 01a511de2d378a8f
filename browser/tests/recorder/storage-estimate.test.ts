import { expect, test } from 'vitest';
import { bytesHeld, Inventory } from '../../src/recorder/inventory';
import { credibleUsage } from '../../src/recorder/storage-estimate';
import type { ChunkState, ChunkView } from '../../src/recorder/types';

const GB = 1e9;

test.each([
  { why: 'as told', usage: 5e6, quota: 15 * GB, held: 4e6, is: 5e6 },
  { why: 'as told, with much held', usage: 30 * GB, quota: 40 * GB, held: 29 * GB, is: 30 * GB },
  { why: 'not told', usage: undefined, quota: 15 * GB, held: 0, is: null },
  { why: 'below zero, wrapped around', usage: 2 ** 32 - 61_000_000, quota: 15 * GB, held: 106, is: null },
  { why: 'more than there is', usage: 16 * GB, quota: 15 * GB, held: 15.5 * GB, is: null },
  { why: 'of a device where others keep what is not counted', usage: 9 * GB, quota: 15 * GB, held: null, is: 9 * GB },
  { why: 'as told, without a quota', usage: 5e6, quota: undefined, held: 0, is: 5e6 },
])('the usage is $why', ({ usage, quota, held, is }) => {
  const estimate: StorageEstimate = {};
  if (usage !== undefined) estimate.usage = usage;
  if (quota !== undefined) estimate.quota = quota;
  expect(credibleUsage(estimate, held)).toBe(is);
});

test('what is held is all that was not released', () => {
  const states: ChunkState[] = ['released', 'confirmed', 'acked', 'on_disk', 'writing'];
  const chunks = states.map((state, seq): ChunkView => {
    return { seq, segment: 0, state, size: 10, sha256: '', startMs: 0, durationMs: 0, times: {}, resent: 0 };
  });
  const nothing = () => undefined;
  const inventory = new Inventory(() => 1, nothing, nothing);
  for (const id of ['a', 'b']) {
    inventory.open({ id, owner: '', recorderId: '', mimeType: '', title: '', startedAt: 0 });
    for (const chunk of chunks) inventory.put(id, chunk);
  }
  expect([bytesHeld(chunks), inventory.bytesHeld()]).toEqual([40, 80]);
});
