/** The control plane's HTTP contract (docs/protocol.md), typed, one method per call. No retries in here. */
import type { components, operations, paths } from './api.generated';
import { reasonOf } from './failure';
import type { Problem } from './types';

export const SDK_VERSION = '0.1.0';

/** A call that has no answer by then is repeated: every call is idempotent. */
const CALL_TIMEOUT_MS = 30_000;

/** A bucket that answers at all does so by then; the next failure looks again. */
const LOOK_TIMEOUT_MS = 5_000;

/** What even a bad mobile link carries; a PUT slower than this is tried again with twice the patience. */
const SLOWEST_PUT_BYTES_PER_MS = 32;

/** A server that asks for a longer wait is asked again by then: a slip in its clock must not silence a recorder for days. */
const LONGEST_WAIT_MS = 15 * 60_000;

/** The protocol's models; generated from the control plane's OpenAPI document, so a name changed there does not compile. */
type Models = components['schemas'];
/** What an operation answers when it succeeds. */
type AnswerTo<Id extends keyof operations> = operations[Id]['responses'] extends {
  200: { content: { 'application/json': infer Body } };
}
  ? Body
  : never;

/** The body that an operation takes, or undefined. */
type BodyOf<Id extends keyof operations> = operations[Id] extends {
  requestBody: { content: { 'application/json': infer Body } };
}
  ? Body
  : undefined;

export type Limits = Models['Limits'];
export type RecordingStatus = Pick<
  Models['RecordingAnswer'],
  'id' | 'state' | 'complete' | 'received' | 'confirmed' | 'missing' | 'lost' | 'limits' | 'heartbeat_interval_ms'
>;
export type Put = Models['Put'];
export type GrantAnswer = AnswerTo<'grantChunks'>['grants'][number];
export type AckAnswer = AnswerTo<'ackChunks'>['acks'][number];
export type Verdict = Models['Verdict'];
export type Ticket = Models['Ticket'];
export type Holding = Models['Holding'];
export type HeartbeatRequest = Required<Models['HeartbeatRequest']>;
export type HeartbeatAnswer = AnswerTo<'sendHeartbeat'>;
export type StartRequest = Models['StartRequest'];
/** The answer to a deletion: `deleting` while the bucket is being emptied. */
export type DeletionAnswer = Models['DeletionAnswer'];
type ChunkClaim = Models['ChunkClaim'];
type AckClaim = Models['AckClaim'];
type Totals = Models['CompleteRequest'];

/** What a PUT to the bucket came to. `unknown`: the bytes may or may not have arrived. */
export type PutOutcome =
  | { kind: 'stored'; etag: string | undefined }
  | { kind: 'exists' }
  | { kind: 'refused' }
  | { kind: 'raced' }
  | { kind: 'rejected'; status: number }
  | { kind: 'busy'; retryAfterMs: number }
  | { kind: 'unknown'; reason: string };

/** What the uploader and the heartbeat need of the control plane; the tests have another one. */
export interface ControlPlane {
  start(id: string, request: StartRequest, signal: AbortSignal): Promise<RecordingStatus>;
  status(id: string, signal: AbortSignal): Promise<RecordingStatus>;
  grants(id: string, chunks: ChunkClaim[], signal: AbortSignal): Promise<GrantAnswer[]>;
  acks(id: string, acks: AckClaim[], signal: AbortSignal): Promise<AckAnswer[]>;
  complete(id: string, totals: Totals, signal: AbortSignal): Promise<RecordingStatus>;
  heartbeat(request: HeartbeatRequest, signal: AbortSignal): Promise<HeartbeatAnswer>;
  delete(id: string, signal: AbortSignal): Promise<DeletionAnswer>;
  put(put: Put, body: Blob, attempts: number, signal: AbortSignal): Promise<PutOutcome>;
  reaches(put: Put, signal: AbortSignal): Promise<boolean>;
}

/**
 * A call that failed. `status` 0: no answer came, so whether it took effect is unknown. Otherwise the problem document
 * that was answered; `retryAfterMs` is 0 unless the server named a time.
 */
export class CallFailed extends Error {
  override readonly name = 'CallFailed';

  constructor(
    readonly status: number,
    readonly problem: Problem,
    readonly retryAfterMs = 0,
    readonly members: Record<string, unknown> = {},
    cause?: unknown,
  ) {
    super(problem.detail, { cause });
  }
}

/** Where tokens come from; `refused` is one that the control plane did not take. */
export type TokenSource = (refused: string | null) => Promise<string>;

export class HttpControlPlane implements ControlPlane {
  readonly #base: string;
  readonly #token: TokenSource;

  constructor(endpoint: string, token: TokenSource) {
    this.#base = endpoint.replace(/\/+$/, '');
    this.#token = token;
  }

  start(id: string, request: StartRequest, signal: AbortSignal): Promise<RecordingStatus> {
    return this.#call<'startRecording'>('PUT', at('/v1/recordings/{id}', id), request, signal);
  }

  status(id: string, signal: AbortSignal): Promise<RecordingStatus> {
    return this.#call<'getRecording'>('GET', at('/v1/recordings/{id}', id), undefined, signal);
  }

  async grants(id: string, chunks: ChunkClaim[], signal: AbortSignal): Promise<GrantAnswer[]> {
    const body = await this.#call<'grantChunks'>('POST', at('/v1/recordings/{id}/grants', id), { chunks }, signal);
    return body.grants;
  }

  async acks(id: string, acks: AckClaim[], signal: AbortSignal): Promise<AckAnswer[]> {
    const body = await this.#call<'ackChunks'>('POST', at('/v1/recordings/{id}/acks', id), { acks }, signal);
    return body.acks;
  }

  complete(id: string, totals: Totals, signal: AbortSignal): Promise<RecordingStatus> {
    return this.#call<'completeRecording'>('POST', at('/v1/recordings/{id}/complete', id), totals, signal);
  }

  heartbeat(request: HeartbeatRequest, signal: AbortSignal): Promise<HeartbeatAnswer> {
    return this.#call<'sendHeartbeat'>('POST', at('/v1/heartbeat'), request, signal);
  }

  delete(id: string, signal: AbortSignal): Promise<DeletionAnswer> {
    return this.#answered('DELETE', at('/v1/recordings/{id}', id), undefined, signal) as Promise<DeletionAnswer>;
  }

  /** PUTs a chunk with exactly the granted headers. Never throws: every outcome is a value. */
  async put(put: Put, body: Blob, attempts: number, signal: AbortSignal): Promise<PutOutcome> {
    const patience = Math.ceil(CALL_TIMEOUT_MS + body.size / SLOWEST_PUT_BYTES_PER_MS) * 2 ** Math.min(attempts, 5);
    try {
      const response = await fetch(put.url, {
        method: 'PUT',
        headers: put.headers,
        body,
        credentials: 'omit',
        cache: 'no-store',
        signal: AbortSignal.any([signal, AbortSignal.timeout(patience)]),
      });
      // Read to its end, not cancelled: cancelling would cost the connection. What it says does not matter.
      await response.arrayBuffer().catch(() => undefined);
      return putOutcome(response.status, response.headers);
    } catch (error) {
      return { kind: 'unknown', reason: reasonOf(error) };
    }
  }

  /** Whether the bucket of this PUT answers anything at all: without CORS, so that its rules do not matter, nor what it says. */
  async reaches({ url }: Put, signal: AbortSignal): Promise<boolean> {
    try {
      await fetch(new URL(url).origin, {
        method: 'HEAD',
        mode: 'no-cors',
        credentials: 'omit',
        cache: 'no-store',
        signal: AbortSignal.any([signal, AbortSignal.timeout(LOOK_TIMEOUT_MS)]),
      });
      return true;
    } catch {
      return false;
    }
  }

  #call<Id extends keyof operations>(
    method: string,
    path: string,
    body: BodyOf<Id>,
    signal: AbortSignal,
  ): Promise<AnswerTo<Id>> {
    return this.#answered(method, path, body, signal) as Promise<AnswerTo<Id>>;
  }

  /** One call; a refused token is replaced and the call repeated once. @throws CallFailed. */
  async #answered(method: string, path: string, body: unknown, signal: AbortSignal): Promise<unknown> {
    let token = await this.#token(null);
    let response = await this.#send(method, path, body, token, signal);
    if (response.status === 401) {
      token = await this.#token(token);
      response = await this.#send(method, path, body, token, signal);
    }
    if (!response.ok) throw await callFailed(response);
    try {
      return await response.json();
    } catch (error) {
      throw unanswered(error);
    }
  }

  async #send(method: string, path: string, body: unknown, token: string, signal: AbortSignal): Promise<Response> {
    const headers: Record<string, string> = { authorization: `Bearer ${token}` };
    if (body !== undefined) headers['content-type'] = 'application/json';
    try {
      return await fetch(this.#base + path, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        credentials: 'omit',
        cache: 'no-store',
        signal: AbortSignal.any([signal, AbortSignal.timeout(CALL_TIMEOUT_MS)]),
      });
    } catch (error) {
      throw unanswered(error);
    }
  }
}

/** The path of a call, for the recording with this id. */
function at(path: keyof paths, id = ''): string {
  return path.replace('{id}', id);
}

/** What a bucket's answer means, from its status alone: bodies of S3 answers are XML and differ by store. */
export function putOutcome(status: number, headers: Headers): PutOutcome {
  if (status >= 200 && status < 300) return { kind: 'stored', etag: headers.get('etag') ?? undefined };
  if (status === 412) return { kind: 'exists' };
  if (status === 401 || status === 403) return { kind: 'refused' };
  if (status === 409) return { kind: 'raced' };
  if (status === 408 || status === 429 || status >= 500) return { kind: 'busy', retryAfterMs: retryAfterMs(headers) };
  return { kind: 'rejected', status };
}

/** `Retry-After` in ms, given in seconds or as a date; 0 when absent or unreadable. */
export function retryAfterMs(headers: Headers, now: number = Date.now()): number {
  const value = headers.get('retry-after');
  if (!value) return 0;
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - now;
  return Number.isFinite(ms) ? Math.min(Math.max(0, ms), LONGEST_WAIT_MS) : 0;
}

function unanswered(error: unknown): CallFailed {
  return new CallFailed(
    0,
    { code: 'network', detail: `The control plane did not answer (${reasonOf(error)}).` },
    0,
    {},
    error,
  );
}

async function callFailed(response: Response): Promise<CallFailed> {
  const document = await problemDocument(response);
  const code = typeof document.code === 'string' ? document.code : `http_${response.status}`;
  const detail =
    typeof document.detail === 'string' ? document.detail : `The control plane answered ${response.status}.`;
  const requestId = requestIdOf(document, response.headers);
  return new CallFailed(
    response.status,
    { code, detail, status: response.status, ...(requestId ? { request_id: requestId } : {}) },
    retryAfterMs(response.headers),
    document,
  );
}

/** The id by which support finds a request in the server's logs: from its problem, else from its header. */
export function requestIdOf(document: { request_id?: unknown }, headers: Headers): string | null {
  return typeof document.request_id === 'string' ? document.request_id : headers.get('x-request-id');
}

async function problemDocument(response: Response): Promise<Record<string, unknown>> {
  try {
    const body: unknown = await response.json();
    return typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
  } catch {
    // A proxy's error page: the status alone has to do, and callFailed says it.
    return {};
  }
}
