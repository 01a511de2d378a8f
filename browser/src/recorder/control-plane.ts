/** The control plane's HTTP contract (docs/protocol.md), typed, one method per call. No retries in here. */
import { reasonOf } from './errors';
import type { Ranges } from './ranges';
import type { Problem, StorageReport } from './types';

export const SDK_VERSION = '0.1.0';

/** A call that has no answer by then is repeated: every call is idempotent. */
const CALL_TIMEOUT_MS = 30_000;

/** What even a bad mobile link carries; a PUT slower than this is tried again with twice the patience. */
const SLOWEST_PUT_BYTES_PER_MS = 32;

/** A server that asks for a longer wait is asked again by then: a slip in its clock must not silence a recorder for days. */
const LONGEST_WAIT_MS = 15 * 60_000;

export interface Limits {
  max_chunk_bytes: number;
  max_batch: number;
  max_seq: number;
  max_segment: number;
}

export interface RecordingStatus {
  id: string;
  state: 'open' | 'complete' | 'expired' | 'deleting' | 'deleted';
  complete: boolean;
  received: Ranges;
  confirmed: Ranges;
  missing: Ranges;
  lost: Ranges;
  limits: Limits;
  heartbeat_interval_ms: number;
}

export interface Put {
  url: string;
  headers: Record<string, string>;
}

export interface GrantAnswer {
  seq: number;
  state: 'granted' | 'acked' | 'confirmed' | 'refused';
  put?: Put;
  expires_at?: string;
  problem?: RefusedChunk;
}

/** Why a chunk was refused; the byte counts come with `quota_exceeded`. */
export interface RefusedChunk extends Problem {
  used_bytes?: number;
  reserved_bytes?: number;
  limit_bytes?: number;
}

/** The answer to a deletion: `deleting` while the bucket is being emptied. */
export interface DeletionAnswer {
  id: string;
  state: 'deleting' | 'deleted';
}

export type Verdict =
  | 'match'
  | 'missing'
  | 'size_differs'
  | 'etag_differs'
  | 'digest_differs'
  | 'unproven'
  | 'unreachable';

export interface AckAnswer {
  seq: number;
  verdict: Verdict | null;
  state: string;
  problem?: Problem;
}

export interface Ticket {
  id: string;
  recording_id: string;
  seq: number;
  sha256: string;
  reason: string;
  put: Put;
  expires_at: string;
}

export interface Holding {
  recording_id: string;
  ranges: [number, number][];
  open: boolean;
}

export interface HeartbeatRequest {
  recorder_id: string;
  counter: number;
  sdk: string;
  storage: StorageReport;
  holding: Holding[];
  gone: string[];
}

export interface HeartbeatAnswer {
  counter: number;
  server_time: string;
  next_heartbeat_ms: number;
  tickets: Ticket[];
  releases: { recording_id: string; chunks: [number, string][] }[];
  discard: string[];
  notices: { code: string; recording_id?: string }[];
}

export interface StartRequest {
  recorder_id: string;
  source: 'recorder';
  mime_type: string;
  title: string;
}

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
  grants(
    id: string,
    chunks: { seq: number; segment: number; size: number; sha256: string }[],
    signal: AbortSignal,
  ): Promise<GrantAnswer[]>;
  acks(id: string, acks: { seq: number; etag?: string }[], signal: AbortSignal): Promise<AckAnswer[]>;
  complete(
    id: string,
    totals: { chunk_count: number; total_bytes: number },
    signal: AbortSignal,
  ): Promise<RecordingStatus>;
  heartbeat(request: HeartbeatRequest, signal: AbortSignal): Promise<HeartbeatAnswer>;
  delete(id: string, signal: AbortSignal): Promise<DeletionAnswer>;
  put(put: Put, body: Blob, attempts: number, signal: AbortSignal): Promise<PutOutcome>;
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
    this.#base = `${endpoint.replace(/\/+$/, '')}/v1`;
    this.#token = token;
  }

  start(id: string, request: StartRequest, signal: AbortSignal): Promise<RecordingStatus> {
    return this.#call('PUT', `/recordings/${id}`, request, signal);
  }

  status(id: string, signal: AbortSignal): Promise<RecordingStatus> {
    return this.#call('GET', `/recordings/${id}`, undefined, signal);
  }

  async grants(
    id: string,
    chunks: { seq: number; segment: number; size: number; sha256: string }[],
    signal: AbortSignal,
  ): Promise<GrantAnswer[]> {
    const body = await this.#call<{ grants: GrantAnswer[] }>('POST', `/recordings/${id}/grants`, { chunks }, signal);
    return body.grants;
  }

  async acks(id: string, acks: { seq: number; etag?: string }[], signal: AbortSignal): Promise<AckAnswer[]> {
    const body = await this.#call<{ acks: AckAnswer[] }>('POST', `/recordings/${id}/acks`, { acks }, signal);
    return body.acks;
  }

  complete(
    id: string,
    totals: { chunk_count: number; total_bytes: number },
    signal: AbortSignal,
  ): Promise<RecordingStatus> {
    return this.#call('POST', `/recordings/${id}/complete`, totals, signal);
  }

  heartbeat(request: HeartbeatRequest, signal: AbortSignal): Promise<HeartbeatAnswer> {
    return this.#call('POST', '/heartbeat', request, signal);
  }

  delete(id: string, signal: AbortSignal): Promise<DeletionAnswer> {
    return this.#call('DELETE', `/recordings/${id}`, undefined, signal);
  }

  /** PUTs a chunk with exactly the granted headers. Never throws: every outcome is a value. */
  async put(put: Put, body: Blob, attempts: number, signal: AbortSignal): Promise<PutOutcome> {
    const patience = (CALL_TIMEOUT_MS + body.size / SLOWEST_PUT_BYTES_PER_MS) * 2 ** Math.min(attempts, 5);
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

  /** One call; a refused token is replaced and the call repeated once. @throws CallFailed. */
  async #call<T>(method: string, path: string, body: unknown, signal: AbortSignal): Promise<T> {
    let token = await this.#token(null);
    let response = await this.#send(method, path, body, token, signal);
    if (response.status === 401) {
      token = await this.#token(token);
      response = await this.#send(method, path, body, token, signal);
    }
    if (!response.ok) throw await callFailed(response);
    try {
      return (await response.json()) as T;
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
