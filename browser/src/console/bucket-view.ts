import type { components } from '../recorder/api.generated';
import type { ApiCalls } from './api-calls';

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
  | 'share_id'
  | 'share'
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

/** The same without what playing it does not take: all that a shared link tells. */
export type HeldChunk = Models['SharedChunk'];

/** Where chunks with addresses to read them come from, page by page. */
export interface ChunkPages {
  chunks(
    id: string,
    after: number,
    limit: number,
    signal?: AbortSignal,
  ): Promise<Readonly<{ chunks: readonly HeldChunk[]; next_after: number | null }>>;
}

export interface RecordingPage extends Pick<Models['RecordingPage'], 'next_cursor'> {
  recordings: readonly StoredRecording[];
}

export type ChunkPage = Readonly<Models['ChunkPage']>;

/** What the page reads of the bucket, through the control plane. Every method rejects with `CallFailed`. */
export interface BucketView {
  recordings(cursor: string | null, signal?: AbortSignal): Promise<RecordingPage>;
  recording(id: string, signal?: AbortSignal): Promise<StoredStatus>;
  chunks(id: string, after: number, limit: number, signal?: AbortSignal): Promise<ChunkPage>;
  me(signal?: AbortSignal): Promise<Models['Me']>;
}

export class HttpBucketView implements BucketView {
  readonly #calls: ApiCalls;

  constructor(calls: ApiCalls) {
    this.#calls = calls;
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
    this.#calls.lastWord('DELETE', `/v1/recordings/${id}`);
  }

  async #get<T>(path: string, signal?: AbortSignal): Promise<T> {
    const answer = await this.#calls.call(path, signal ? { signal } : {});
    return (await answer.json()) as T;
  }
}
