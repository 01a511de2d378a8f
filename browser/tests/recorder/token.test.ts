/** A token that ends in mid-recording: another one is asked for; until there is one everything is held, and then it is sent. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { HttpControlPlane } from '../../src/recorder/control-plane';
import { worded } from '../../src/recorder/errors';
import type { Trouble } from '../../src/recorder/failure';
import { Tokens } from '../../src/recorder/token';
import type { Problem } from '../../src/recorder/types';
import { Uploader } from '../../src/recorder/uploader';
import { FakeControlPlane } from './support/fake-control-plane';
import { FACTS, SILENT, SOURCE, sealOf } from './support/uploader-bench';

let stop = new AbortController();
beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  stop.abort();
  stop = new AbortController();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** An answer whose body is there at once: a real one takes turns of the event loop that fake timers know nothing of. */
function answerOf(status: number, body: unknown) {
  const headers = new Headers({ etag: 'e' });
  return { ok: status < 300, status, headers, json: async () => body, arrayBuffer: async () => new ArrayBuffer(0) };
}

/** The fake control plane and its bucket behind `fetch`, which take one token at a time. */
function served(server: FakeControlPlane, accepted: { token: string }): void {
  type Sent = { headers: Record<string, string>; body?: string | Blob };
  vi.stubGlobal('fetch', async (url: string, { headers, body: sent }: Sent) => {
    if (sent instanceof Blob) {
      const { kind } = await server.put({ url, headers }, sent);
      return answerOf(kind === 'stored' ? 200 : 412, null);
    }
    if (headers.authorization !== `Bearer ${accepted.token}`) {
      return answerOf(401, { code: 'token_expired', detail: 'The token has expired.' });
    }
    const [id = '', call] = url.replace('http://plane/v1/recordings/', '').split('/');
    const body = JSON.parse(sent ?? '{}');
    if (call === 'grants') return answerOf(200, { grants: await server.grants(id, body.chunks) });
    if (call === 'acks') return answerOf(200, { acks: await server.acks(id, body.acks) });
    return answerOf(200, await (call === 'complete' ? server.complete(id, body) : server.start(id, body)));
  });
}

function setUp(getToken: () => Promise<string>) {
  const tokens = new Tokens((request) => {
    getToken().then(
      (token) => tokens.answered(request, token),
      (error: Error) => tokens.failed(request, error.message),
    );
  });
  const plane = new HttpControlPlane('http://plane', (refused) => tokens.get(refused));
  const said: (Problem | null)[] = [];
  let completed = false;
  const events = {
    ...SILENT,
    completed: () => {
      completed = true;
    },
    stuck: (_id: string, problem: Trouble) => said.push(worded(problem)),
    trouble: (_id: string, problem: Trouble | null) => said.push(problem && worded(problem)),
  };
  const uploader = new Uploader(plane, SOURCE, events, { parallelPuts: 3, signal: stop.signal, random: () => 0.5 });
  return { uploader, said, isComplete: () => completed };
}

async function addChunks(uploader: Uploader, from: number, to: number): Promise<void> {
  for (let seq = from; seq < to; seq += 1) {
    uploader.add(FACTS.id, sealOf(seq));
    await vi.advanceTimersByTimeAsync(1_000);
  }
}

test('an expired token is replaced in mid-recording without a word, and without a chunk sent twice', async () => {
  const server = new FakeControlPlane();
  const accepted = { token: 'first' };
  served(server, accepted);
  const asked: string[] = [];
  const { uploader, said, isComplete } = setUp(async () => {
    asked.push(accepted.token);
    return accepted.token;
  });
  uploader.open(FACTS, false);
  await addChunks(uploader, 0, 3);
  accepted.token = 'second';
  await addChunks(uploader, 3, 6);
  expect(asked).toEqual(['first', 'second']);
  uploader.end(FACTS.id, { chunkCount: 6, totalBytes: 60 });
  await vi.advanceTimersByTimeAsync(5_000);
  expect([isComplete(), server.objects.size]).toEqual([true, 6]);
  expect(server.calls.filter(({ call }) => call === 'put')).toHaveLength(6);
  expect(said).toEqual([]);
});

test('while no token can be had everything is held and said to be, it is asked for again, and then all is sent', async () => {
  const server = new FakeControlPlane();
  const accepted = { token: 'first' };
  served(server, accepted);
  let asked = 0;
  let signedIn = true;
  const { uploader, said, isComplete } = setUp(async () => {
    asked += 1;
    if (!signedIn) throw new Error('nobody is signed in');
    return accepted.token;
  });
  const shipment = uploader.open(FACTS, false);
  await addChunks(uploader, 0, 3);
  accepted.token = 'second';
  signedIn = false;
  asked = 0;
  await addChunks(uploader, 3, 63);
  expect([shipment.heldCount, server.objects.size]).toEqual([63, 3]);
  expect(asked).toBeGreaterThanOrEqual(3);
  expect(asked).toBeLessThan(60); // Not with every chunk.
  const problem = said.find((one) => one !== null);
  expect(problem?.code).toBe('token_unavailable');
  expect(problem?.detail).toMatch(
    /nothing is sent for now\. Recording goes on and everything is kept.*Sign in again\./,
  );

  signedIn = true;
  await vi.advanceTimersByTimeAsync(30_000);
  expect(said.at(-1)).toBeNull(); // It is over, and said to be.
  uploader.end(FACTS.id, { chunkCount: 63, totalBytes: 630 });
  await vi.advanceTimersByTimeAsync(30_000);
  expect([isComplete(), server.objects.size]).toEqual([true, 63]);
});

test('a page that answers the refused token again is asked again later, not at once and for ever', async () => {
  const server = new FakeControlPlane();
  served(server, { token: 'good' });
  let asked = 0;
  const { uploader, said } = setUp(async () => {
    asked += 1;
    return 'stale';
  });
  const shipment = uploader.open(FACTS, false);
  await addChunks(uploader, 0, 60);
  expect(shipment.heldCount).toBe(60);
  expect(asked).toBeLessThan(30);
  expect(said.map((one) => one?.code)).toContain('token_expired');
});
