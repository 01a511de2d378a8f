import { expect, test } from 'vitest';
import { Gate } from '../../src/recorder/backoff';
import type { Consignment } from '../../src/recorder/consignment';
import { besideOf, inOrder, maySend } from '../../src/recorder/precedence';
import { Shipment } from '../../src/recorder/shipment';

interface Some {
  file?: boolean;
  ended?: boolean;
  waiting?: number;
  underWay?: number;
  paused?: boolean;
}

function some(
  id: string,
  { file = false, ended = true, waiting = 0, underWay = 0, paused = false }: Some,
): Consignment {
  const shipment = new Shipment(id, () => undefined);
  shipment.end = ended ? { chunkCount: 1, totalBytes: 1 } : null;
  shipment.onStarted({ received: [], limits: { max_batch: 1000 } } as never);
  for (let seq = 0; seq < waiting + underWay; seq += 1) {
    shipment.add({ seq, segment: 0, size: 1, sha256: 'a', startMs: 0, durationMs: 0 });
  }
  const grants = Array.from({ length: underWay }, (_, seq) => ({
    seq,
    state: 'granted' as const,
    put: { url: '', headers: {} },
    expires_at: '',
  }));
  shipment.onGrants(0, grants, () => Number.POSITIVE_INFINITY);
  for (let seq = 0; seq < underWay; seq += 1) shipment.takePut(0, false);
  const facts = { id, owner: '', recorderId: '', mimeType: '', title: '', startedAt: 0 };
  const of = file ? { ...facts, file: { name: '', size: 1, lastModified: 0, chunkBytes: 1 } } : facts;
  return { shipment, facts: of, leftover: false, gate: new Gate(), troubled: null, closed: false, paused };
}

test('what is recorded goes first, the newest before older ones, then leftovers, then files as they came', () => {
  const entries = [
    some('6', { file: true }),
    some('1', { file: true, ended: false }),
    some('2', {}),
    some('3', {}),
    some('4', { ended: false }),
    some('5', { ended: false }),
  ];
  expect(inOrder(entries).map(({ facts }) => facts.id)).toEqual(['5', '4', '3', '2', '1', '6']);
});

test.each<[string, Some, Some[], boolean]>([
  ['alone', {}, [], true],
  ['paused', { paused: true }, [], false],
  ['beside a leftover', {}, [{ waiting: 3 }], true],
  ['beside a recording that has sent all', {}, [{ ended: false }], true],
  ['beside a recording with a chunk that waits', {}, [{ ended: false, waiting: 1 }], false],
  ['beside a recording with a chunk on its way', {}, [{ ended: false, underWay: 1 }], false],
  ['beside a recording, with one of its own on its way', { underWay: 1 }, [{ ended: false }], false],
  ['with several of its own on their way', { underWay: 4 }, [], true],
])('a file %s', (_, file, others, may) => {
  const entry = some('9', { file: true, ...file });
  const entries = [entry, ...others.map((other, index) => some(String(index), other))];
  expect(maySend(entry, entries, false)).toBe(may);
});

test('files take no turn from recordings, and what the bucket lost goes anyway', () => {
  const file = some('9', { file: true, underWay: 2 });
  const recording = some('1', { ended: false, waiting: 1 });
  expect(besideOf(recording, [file, recording])).toBe(2);
  expect(besideOf(file, [file, recording])).toBe(0);
  expect(maySend(file, [file, recording], true)).toBe(true);
});
