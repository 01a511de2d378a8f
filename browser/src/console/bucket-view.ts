import type { components } from '../recorder/api.generated';
import type { Problem } from '../recorder/types';
import type { ClockWatch } from './clock-watch';
import { NoToken, type Session } from './session';

export type Ranges = readonly (readonly [number, number])[];

type Models = components['schemas'];

/** What a list and a status have in common. */
type StoredBase = Pick<
  Models['RecordingAnswer'] & Models['RecordingSummary'],
  | 'id'
  | 'state'
  | 'mime_type'
  | 'title'
  | 'recorder_id'
  | 'created_at'
  | 'completed_at'
  | 'received_chunks'
  | 'received_bytes'
  | 'confirmed_bytes'
  | 'chunk_count'
  | 'total_bytes'
  | 'deletion'
>;

/** A recording in a list. */
export type StoredRecording = StoredBase &
  Pick<Models['RecordingSummary'], 'confirmed_chunks' | 'missing_chunks' | 'lost_chunks' | 'duration_ms'>;

/** The owner's share of the bucket, in bytes; `limit_bytes` is null where there is no limit. */
export type Quota = Models['Quota'];

/** A recording by itself, with its ranges. */
export type StoredStatus = StoredBase &
  Pick<Models['RecordingAnswer'], 'complete' | 'open_tickets' | 'duration_ms'> &
  StoredRanges;
type StoredRanges = {
  [Name in keyof Pick<Models['RecordingAnswer'], 'received' | 'confirmed' | 'missing' | 'lost'>]: Ranges;
};

/** A chunk as the ledger has it; `get` is null where the bucket does not hold it. */
export type StoredChunk = Models['Chunk'];

export interface RecordingPage extends Pick<Models['RecordingPage'], 'next_cursor'> {
  recordings: readonly StoredRecording[];
}

export type ChunkPage = Readonly<Models['ChunkPage']>;

/** A call that was refused or not answered, as a problem document. */
export class CallFailed extends Error {
  override readonly name = 'CallFailed';
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

/** What the page reads of the bucket, through the control plane. Every method rejects with `CallFailed`. */
export interface BucketView {
  recordings(cursor: string | null, signal?: AbortSignal): Promise<RecordingPage>;
  recording(id: string, signal?: AbortSignal): Promise<StoredStatus>;
  chunks(id: string, after: number, limit: number, signal?: AbortSignal): Promise<ChunkPage>;
  me(signal?: AbortSignal): Promise<Models['Me']>;
}

export class HttpBucketView implements BucketView {
  readonly #endpoint: string;
  readonly #session: Session;
  readonly #clock: ClockWatch;

  constructor(endpoint: string, session: Session, clock: ClockWatch) {
    this.#endpoint = endpoint;
    this.#session = session;
    this.#clock = clock;
  }

  recordings(cursor: string | null, signal?: AbortSignal): Promise<RecordingPage> {
    const after = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    return this.#get(`/v1/recordings?limit=50${after}`, signal);
  }

  recording(id: string, signal?: AbortSignal): Promise<StoredStatus> {
    return this.#get(`/v1/recordings/${id}`, signal);
  }

  chunks(id: string, after: number, limit: number, signal?: AbortSignal): Promise<ChunkPage> {
    return this.#get(`/v1/recordings/${id}/chunks?after=${after}&limit=${limit}`, signal);
  }

  me(signal?: AbortSignal): Promise<Models['Me']> {
    return this.#get('/v1/me', signal);
  }

  /** Deletes a recording with a call that outlives the page; nobody hears the answer, so it is only ever a last word. */
  deleteWhileLeaving(id: string): void {
    const token = this.#session.held;
    if (token === null) return;
    const headers = { authorization: `Bearer ${token}` };
    fetch(`${this.#endpoint}/v1/recordings/${id}`, { method: 'DELETE', headers, keepalive: true }).catch(
      () => undefined,
    );
  }

  async #get<T>(path: string, signal?: AbortSignal): Promise<T> {
    const first = await this.#call(path, signal);
    // A token may have been refused for its age alone: one more try with a new one tells.
    const answer = first.status === 401 ? await this.#call(path, signal) : first;
    if (!answer.ok) throw new CallFailed(await problemIn(answer));
    this.#session.accepted();
    return (await answer.json()) as T;
  }

  async #call(path: string, signal?: AbortSignal): Promise<Response> {
    try {
      const token = await this.#session.token();
      const headers = { authorization: `Bearer ${token}` };
      const answer = await fetch(this.#endpoint + path, { headers, signal: signal ?? null });
      this.#clock.answered(answer.headers);
      if (answer.status === 401) this.#session.refused(token, reasonIn(await problemIn(answer.clone())));
      return answer;
    } catch (error) {
      if (error instanceof NoToken) throw new CallFailed(error.problem);
      signal?.throwIfAborted();
      throw new CallFailed({ code: 'network', detail: 'The server did not answer.' });
    }
  }
}

/** The problem of any thrown value; `null` for a call that was given up on purpose. */
export function problemOfCall(error: unknown): Problem | null {
  if (error instanceof CallFailed) return error.problem;
  if (error instanceof DOMException && error.name === 'AbortError') return null;
  return { code: 'unexpected', detail: error instanceof Error ? error.message : String(error) };
}

/** Why a token was not taken: what is wrong with it, and what to do. */
function reasonIn({ title, detail }: Problem & { title?: string }): string {
  return title ? `${title}. ${detail}` : detail;
}

async function problemIn(answer: Response): Promise<Problem> {
  const fallback = {
    code: `http_${answer.status}`,
    detail: 'The server refused without saying why.',
    status: answer.status,
  };
  try {
    return { ...fallback, ...((await answer.json()) as Partial<Problem>) };
  } catch {
    return fallback; // A proxy's own error page, most likely.
  }
}
