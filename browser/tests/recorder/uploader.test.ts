import { afterEach, expect, test, vi } from 'vitest';
import type { Trouble } from '../../src/recorder/failure';
import type { Seal } from '../../src/recorder/journal';
import type { ChunkState, OverQuota } from '../../src/recorder/types';
import { Uploader } from '../../src/recorder/uploader';
import { FakeControlPlane, type Fault } from './support/fake-control-plane';
import { FACTS, SILENT, SOURCE, sealOf as sealOfSize } from './support/uploader-bench';

/** Each has another size. */
const sealOf = (seq: number) => sealOfSize(seq, 10 + seq);

let stop = new AbortController();
afterEach(() => {
  stop.abort();
  stop = new AbortController();
});

function setUp(plane = new FakeControlPlane(), random = () => 0.001) {
  const states = new Map<number, ChunkState[]>();
  const said: string[] = [];
  const done = { completed: 0, deleted: 0 };
  const quotas: (OverQuota | null)[] = [];
  const events = {
    ...SILENT,
    chunk: (_id: string, seq: number, state: ChunkState) => states.set(seq, [...(states.get(seq) ?? []), state]),
    completed: () => {
      done.completed += 1;
    },
    deleted: () => {
      done.deleted += 1;
    },
    stuck: (_id: string, problem: Trouble) => said.push(`stuck ${problem.code}`),
    trouble: (_id: string, problem: Trouble | null) => said.push(problem ? problem.code : 'over'),
    overQuota: (quota: OverQuota | null) => quotas.push(quota),
    refile: async (_id: string, seals: readonly Seal[]) => {
      said.push(`refile ${seals.map(({ seq }) => seq)}`);
    },
  };
  const intact = { value: true };
  const source = {
    ...SOURCE,
    isIntact: async () => intact.value,
  };
  // Waits are as short as jitter allows: a thousandth of the full one.
  const uploader = new Uploader(plane, source, events, { parallelPuts: 3, signal: stop.signal, random });
  return { plane, uploader, states, said, done, intact, quotas };
}

function send(uploader: Uploader, count: number, leftover = false) {
  const shipment = uploader.open(FACTS, leftover);
  const seals = Array.from({ length: count }, (_, seq) => sealOf(seq));
  for (const seal of seals) uploader.add(FACTS.id, seal);
  uploader.end(FACTS.id, { chunkCount: count, totalBytes: seals.reduce((sum, { size }) => sum + size, 0) });
  return shipment;
}

test('a recording goes from start to complete', async () => {
  const { plane, uploader, states, done } = setUp();
  send(uploader, 5);
  await vi.waitFor(() => expect(done.completed).toBe(1));
  expect(states.get(4)).toEqual(['uploading', 'in_bucket', 'acked']);
  expect(plane.objects.size).toBe(5);
  expect(plane.calls.filter(({ call }) => call === 'start')).toHaveLength(1);
});

test('nothing is put twice and every chunk is acked, whatever answers get lost', async () => {
  for (let seed = 0; seed < 25; seed += 1) {
    const plane = new FakeControlPlane();
    const faults: Fault[] = ['drop', 'lose', 503, null, null, 429, 403];
    let n = seed;
    plane.fault = (call) => {
      n = (n * 1_103_515_245 + 12_345) % 2_147_483_648;
      const fault = faults[(n >> 8) % faults.length] ?? null;
      return fault === 403 && call !== 'put' ? null : fault;
    };
    const { uploader, done } = setUp(plane);
    send(uploader, 7);
    await vi.waitFor(() => expect(done.completed).toBe(1), 5_000);
    expect(plane.objects.size).toBe(7);
    stop.abort();
    stop = new AbortController();
  }
}, 20_000);

test('after a restart only what the control plane lacks is put', async () => {
  const { plane, uploader, done } = setUp();
  const before = setUp(plane);
  const shipment = before.uploader.open(FACTS, false);
  for (const seq of [0, 1, 2]) before.uploader.add(FACTS.id, sealOf(seq));
  await vi.waitFor(() => expect(plane.objects.size).toBe(3));
  await vi.waitFor(() => expect(shipment.parcel(2)?.stage).toBe('acked'));
  await vi.waitFor(() =>
    expect(plane.calls.filter(({ call }) => call === 'acks').flatMap(({ seqs }) => seqs)).toHaveLength(3),
  );
  plane.calls.length = 0;
  send(uploader, 5, true);
  await vi.waitFor(() => expect(done.completed).toBe(1));
  expect(plane.calls[0]?.call).toBe('status');
  expect(plane.calls.filter(({ call }) => call === 'put')).toHaveLength(2);
});

test('412 goes on to the ack without an etag', async () => {
  const plane = new FakeControlPlane();
  const { uploader, done } = setUp(plane);
  plane.objects.set('r1/0/s0', 10);
  send(uploader, 1);
  await vi.waitFor(() => expect(done.completed).toBe(1));
});

test('an object that the bucket lost before its ack is put again', async () => {
  const plane = new FakeControlPlane();
  const { uploader, done, states } = setUp(plane);
  let lost = false;
  plane.fault = (call) => {
    if (call === 'acks' && !lost) {
      lost = true;
      plane.objects.clear();
    }
    return null;
  };
  send(uploader, 1);
  await vi.waitFor(() => expect(done.completed).toBe(1));
  expect(states.get(0)).toEqual(['uploading', 'in_bucket', 'on_disk', 'uploading', 'in_bucket', 'acked']);
});

test('a conflict is said, keeps the chunk, and does not hold up the others', async () => {
  const { plane, uploader, said, states, done } = setUp();
  plane.refusals.set(1, 'chunk_conflict');
  const shipment = send(uploader, 3);
  await vi.waitFor(() => expect(states.get(2)?.at(-1)).toBe('acked'));
  expect(said).toContain('stuck chunk_conflict');
  expect([...shipment.held()]).toEqual([0, 1, 2]);
  expect(done.completed).toBe(0);
  plane.refusals.clear();
  uploader.wake(true);
  await vi.waitFor(() => expect(done.completed).toBe(1));
});

test('a refusal that may pass is said and tried on', async () => {
  const { plane, uploader, said, done } = setUp();
  plane.refusals.set(0, 'storage_unavailable');
  send(uploader, 1);
  await vi.waitFor(() => expect(said).toContain('storage_unavailable'));
  plane.refusals.clear();
  await vi.waitFor(() => expect(done.completed).toBe(1));
  expect(said.at(-1)).toBe('over');
});

test('over quota: what fits goes, the rest is kept and said once, and goes when there is room', async () => {
  const { plane, uploader, quotas, said, done } = setUp();
  plane.limitBytes = 21; // Chunks 0 and 1 are of 10 and 11 bytes.
  const shipment = send(uploader, 5);
  await vi.waitFor(() => expect(plane.objects.size).toBe(2));
  await vi.waitFor(() => expect(plane.calls.filter(({ call }) => call === 'grants').length).toBeGreaterThan(4));
  expect(quotas).toMatchObject([{ usedBytes: 21, reservedBytes: 0, limitBytes: 21 }]);
  expect(uploader.overQuota).toMatchObject({ waitingChunks: 3, waitingBytes: 12 + 13 + 14 });
  expect([...shipment.held()]).toEqual([0, 1, 2, 3, 4]);
  expect(done.completed).toBe(0);
  plane.limitBytes = null;
  await vi.waitFor(() => expect(done.completed).toBe(1));
  expect(plane.objects.size).toBe(5);
  expect(quotas.at(-1)).toBeNull();
  expect(uploader.overQuota).toBeNull();
  expect(said).toEqual([]);
});

test('over quota: it is asked with a growing wait, at once when something was deleted, and new chunks do not ask more', async () => {
  vi.useFakeTimers();
  try {
    const plane = new FakeControlPlane();
    plane.limitBytes = 0;
    const { uploader } = setUp(plane, () => 0.999);
    const asked = () => plane.calls.filter(({ call }) => call === 'grants').length;
    uploader.open(FACTS, false);
    for (let seq = 0; seq < 60; seq += 1) {
      uploader.add(FACTS.id, sealOf(seq));
      await vi.advanceTimersByTimeAsync(5_000);
    }
    // Five minutes: half a second doubling to thirty, then twice a minute.
    expect(asked()).toBeGreaterThan(8);
    expect(asked()).toBeLessThan(20);
    const before = asked();
    plane.limitBytes = null;
    uploader.roomFreed();
    expect(asked()).toBe(before + 1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(plane.objects.size).toBe(60);
  } finally {
    vi.useRealTimers();
  }
});

test('too many grants at once: what is granted goes, the rest follows as it is acked, and nobody is told', async () => {
  const { plane, uploader, said, quotas, done } = setUp();
  plane.liveGrants = 2;
  send(uploader, 9);
  await vi.waitFor(() => expect(done.completed).toBe(1));
  expect(plane.objects.size).toBe(9);
  expect(said).toEqual([]);
  expect(quotas).toEqual([]);
});

test('too many grants of other devices: everything is kept, asked for with a growing wait, and goes at last', async () => {
  vi.useFakeTimers();
  try {
    const plane = new FakeControlPlane();
    plane.liveGrants = 0;
    const { uploader, said, quotas } = setUp(plane, () => 0.999);
    const asked = () => plane.calls.filter(({ call }) => call === 'grants').length;
    const shipment = uploader.open(FACTS, false);
    for (let seq = 0; seq < 60; seq += 1) {
      uploader.add(FACTS.id, sealOf(seq));
      await vi.advanceTimersByTimeAsync(5_000);
    }
    expect(asked()).toBeGreaterThan(8);
    expect(asked()).toBeLessThan(20);
    expect([...shipment.held()]).toHaveLength(60);
    expect(said).toEqual([]);
    expect(quotas).toEqual([]);
    plane.liveGrants = null;
    await vi.advanceTimersByTimeAsync(31_000);
    expect(plane.objects.size).toBe(60);
  } finally {
    vi.useRealTimers();
  }
});

test('the quota does not hold back what has room already, nor another wait', async () => {
  const plane = new FakeControlPlane();
  const { uploader, quotas } = setUp(plane, () => 0.001);
  plane.limitBytes = 10;
  let failed = 0;
  plane.fault = (call) => (call === 'put' && failed++ < 3 ? 'drop' : null);
  send(uploader, 2);
  await vi.waitFor(() => expect(plane.objects.size).toBe(1));
  expect(quotas.at(-1)).toMatchObject({ limitBytes: 10 });
});

test.each([
  ['start', 410],
  ['grants', 410],
  ['acks', 410],
  ['complete', 410],
] as const)('a recording that was deleted when %s is called is dropped', async (call, _status) => {
  const plane = new FakeControlPlane();
  const { uploader, done } = setUp(plane);
  plane.fault = (met) => {
    if (met === call) plane.deleted.add(FACTS.id);
    return null;
  };
  send(uploader, 2);
  await vi.waitFor(() => expect(done.deleted).toBe(1));
  expect(uploader.shipment(FACTS.id)).toBeUndefined();
});

test.each([404, 410, 403, 500])('no other answer drops anything: a bare %i', async (status) => {
  const plane = new FakeControlPlane();
  const { uploader, done } = setUp(plane);
  let met = 0;
  plane.fault = (call) => (call === 'grants' && met++ < 5 ? status : null);
  send(uploader, 2);
  await vi.waitFor(() => expect(done.completed).toBe(1));
  expect(done.deleted).toBe(0);
});

test('a recording that cannot be started is stuck until somebody asks again', async () => {
  const { plane, uploader, said, done } = setUp();
  plane.fault = (call) => (call === 'start' ? 409 : null);
  send(uploader, 1);
  await vi.waitFor(() => expect(said).toContain('stuck injected'));
  plane.fault = () => null;
  uploader.wake(false);
  expect(done.completed).toBe(0);
  uploader.wake(true);
  await vi.waitFor(() => expect(done.completed).toBe(1));
});

test('a control plane that forgot the recording gets it again', async () => {
  const { plane, uploader, done } = setUp();
  let forgotten = false;
  plane.fault = (call) => {
    if (call === 'complete' && !forgotten) {
      forgotten = true;
      plane.recordings.clear();
    }
    return null;
  };
  send(uploader, 4);
  await vi.waitFor(() => expect(done.completed).toBe(1));
  expect(plane.recordings.get('r1')?.chunks.size).toBe(4);
});

test('a ticket is served with its own grant, before what is new', async () => {
  const { plane, uploader, done, states } = setUp();
  const shipment = send(uploader, 2);
  await vi.waitFor(() => expect(done.completed).toBe(1));
  plane.objects.clear();
  const ticket = {
    id: 't',
    recording_id: 'r1',
    seq: 1,
    sha256: 's1',
    reason: 'missing' as const,
    put: { url: 'r1/1/s1', headers: {} },
    expires_at: '2999-01-01T00:00:00Z',
  };
  expect(uploader.serve(ticket)).toBe(true);
  await vi.waitFor(() => expect(plane.objects.has('r1/1/s1')).toBe(true));
  await vi.waitFor(() => expect(states.get(1)?.slice(-3)).toEqual(['resending', 'in_bucket', 'acked']));
  expect(uploader.serve({ ...ticket, sha256: 'other' })).toBe(false);
  expect(uploader.serve({ ...ticket, recording_id: 'r2' })).toBe(false);
  shipment.drop(1);
  expect(uploader.serve(ticket)).toBe(false);
});

test('only what is held with an equal digest is released', () => {
  const { uploader } = setUp();
  const shipment = uploader.open(FACTS, false);
  for (const seq of [0, 1]) shipment.add(sealOf(seq));
  const released = shipment.releasable([
    [0, 's0'],
    [1, 'another'],
    [2, 's2'],
  ]);
  expect(released.map(({ seq }) => seq)).toEqual([0]);
});

test('a damaged file is said and kept, and the rest goes on', async () => {
  const plane = new FakeControlPlane();
  const { uploader, said, states, intact } = setUp(plane);
  intact.value = false;
  const put = plane.put.bind(plane);
  plane.put = async (grant, body) => (grant.url === 'r1/0/s0' ? { kind: 'rejected', status: 400 } : put(grant, body));
  const shipment = send(uploader, 2);
  await vi.waitFor(() => expect(said).toContain('stuck chunk_damaged'));
  await vi.waitFor(() => expect(states.get(1)?.at(-1)).toBe('acked'));
  expect([...shipment.held()]).toEqual([0, 1]);
});

/** A plane whose PUTs wait until the test lets them end; answers the order in which they began. */
function heldPuts(plane: FakeControlPlane) {
  const began: string[] = [];
  const waiting: (() => void)[] = [];
  const put = plane.put.bind(plane);
  plane.put = async (grant, body) => {
    began.push(grant.url);
    await new Promise<void>((resolve) => waiting.push(resolve));
    return put(grant, body);
  };
  return { began, letOneEnd: () => waiting.shift()?.() };
}

const ticketFor = (id: string, seq: number) => ({
  id: `t${id}${seq}`,
  recording_id: id,
  seq,
  sha256: `s${seq}`,
  reason: 'missing' as const,
  put: { url: `${id}/${seq}/s${seq}`, headers: {} },
  expires_at: '2999-01-01T00:00:00Z',
});

test('tickets go first, then what is being recorded, then what is left over, the newest first', async () => {
  const { plane, uploader, states } = setUp();
  for (const seq of [0, 1]) {
    uploader.open({ ...FACTS, id: 'a-old' }, true);
    uploader.add('a-old', sealOf(seq));
  }
  await vi.waitFor(() => expect(states.get(1)?.at(-1)).toBe('acked'));
  const { began, letOneEnd } = heldPuts(plane);
  for (const id of ['b-live', 'c-old', 'd-newer']) uploader.open({ ...FACTS, id }, id !== 'b-live');
  for (const id of ['a-old', 'c-old', 'd-newer']) uploader.end(id, { chunkCount: 3, totalBytes: 33 });
  for (const id of ['b-live', 'c-old', 'd-newer']) for (const seq of [0, 1, 2]) uploader.add(id, sealOf(seq));
  uploader.add('a-old', sealOf(2));
  await vi.waitFor(() => expect(plane.calls.filter(({ call }) => call === 'grants').length).toBeGreaterThan(4));
  uploader.serve(ticketFor('a-old', 1));
  const first = began.length;
  expect(first).toBeLessThanOrEqual(2); // What was asked for first has begun: PUTs under way are not taken back.
  for (let ended = 0; ended < 11; ended += 1) {
    await vi.waitFor(() => expect(began.length).toBeGreaterThan(ended));
    letOneEnd();
  }
  const order = began.slice(first).map((url) => url.slice(0, 3).replace(/-.*/, '') + url.split('/')[1]);
  expect(order[0]).toBe('a1');
  const rest = order.slice(1).map((name) => name[0]);
  expect(rest.join('')).toMatch(/^b*d*c*a*$/);
  expect(rest).toContain('b');
});

test('a limit is kept on average, and can be changed and taken away while sending', async () => {
  vi.useFakeTimers();
  try {
    const { plane, uploader, done } = setUp();
    uploader.setLimit(10);
    const began: number[] = [];
    const put = plane.put.bind(plane);
    plane.put = (grant, body) => {
      began.push(Date.now());
      return put(grant, body);
    };
    const startedAt = Date.now();
    send(uploader, 6); // 10, 11, 12 … bytes.
    await vi.advanceTimersByTimeAsync(3_200);
    expect(began.map((at) => Math.round((at - startedAt) / 100))).toEqual([0, 10, 21]);
    uploader.setLimit(1_000);
    await vi.advanceTimersByTimeAsync(20);
    expect(began).toHaveLength(5);
    uploader.setLimit(1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(began).toHaveLength(5);
    uploader.setLimit(null);
    await vi.advanceTimersByTimeAsync(10);
    expect(done.completed).toBe(1);
  } finally {
    vi.useRealTimers();
  }
});

test('never more PUTs at once than lanes, and fewer after the bucket was busy', async () => {
  const { plane, uploader, done } = setUp();
  let underWay = 0;
  const atOnce: number[] = [];
  const put = plane.put.bind(plane);
  let busy = false;
  plane.put = async (grant, body) => {
    underWay += 1;
    atOnce.push(underWay);
    await new Promise((resolve) => setTimeout(resolve, 1));
    underWay -= 1;
    if (!busy) return put(grant, body);
    busy = false;
    return { kind: 'busy', retryAfterMs: 0 };
  };
  send(uploader, 20);
  await vi.waitFor(() => expect(done.completed).toBe(1));
  expect(Math.max(...atOnce)).toBe(2);
  busy = true;
  const shipment = uploader.open({ ...FACTS, id: 'r2' }, false);
  for (let seq = 0; seq < 10; seq += 1) uploader.add('r2', sealOf(seq));
  await vi.waitFor(() => expect([...shipment.held()].length).toBe(10));
  await vi.waitFor(() => expect(plane.objects.size).toBe(30));
  expect(atOnce.slice(23).every((count) => count === 1)).toBe(true);
});
