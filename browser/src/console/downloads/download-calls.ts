import type { components } from '../../recorder/api.generated';
import type { ApiCalls } from '../api-calls';
import { StreamUnfit } from './news-line';

type Models = components['schemas'];

/** A file made of recordings, or on its way to be. */
export type Download = Readonly<Models['DownloadAnswer']>;

export type DownloadPage = Readonly<Models['DownloadPage']>;

/** What could be had of one recording now. */
export type Availability = Readonly<Models['Availability']>;

export type Availabilities = Readonly<Models['AvailabilityList']>;

/** A download as it was polled: null where it is what it was; `tag` is for the next time. */
export interface Polled {
  download: Download | null;
  tag: string | null;
  /** How long to wait before the next, in ms. */
  waitMs: number;
}

/** What the page asks of `/v1/downloads`. Every method rejects with `CallFailed`. */
export interface DownloadCalls {
  /** `key` names the wish: the same again begins nothing anew. */
  begin(recordings: readonly string[], allowGaps: boolean, key: string): Promise<Download>;
  check(recordings: readonly string[], allowGaps: boolean): Promise<Availabilities>;
  page(cursor: string | null, signal?: AbortSignal): Promise<DownloadPage>;
  poll(id: string, tag: string | null, signal?: AbortSignal): Promise<Polled>;
  cancel(id: string): Promise<Download>;
  /** Where the browser fetches the file; good for minutes. */
  address(id: string): Promise<string>;
  /** News of all downloads. Rejects with `StreamUnfit` as well. */
  watch(signal: AbortSignal): Promise<ReadableStream<Uint8Array>>;
}

/** Where the server does not say. */
const POLL_MS = 2_000;

export class HttpDownloadCalls implements DownloadCalls {
  readonly #calls: ApiCalls;

  constructor(calls: ApiCalls) {
    this.#calls = calls;
  }

  async begin(recordings: readonly string[], allowGaps: boolean, key: string): Promise<Download> {
    const body = { recordings, allow_gaps: allowGaps };
    const headers = { 'idempotency-key': key };
    return (await this.#calls.call('/v1/downloads', { method: 'POST', body, headers })).json();
  }

  async check(recordings: readonly string[], allowGaps: boolean): Promise<Availabilities> {
    const body = { recordings, allow_gaps: allowGaps };
    return (await this.#calls.call('/v1/downloads/check', { method: 'POST', body })).json();
  }

  async page(cursor: string | null, signal?: AbortSignal): Promise<DownloadPage> {
    const after = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    return (await this.#calls.call(`/v1/downloads?limit=50${after}`, signal ? { signal } : {})).json();
  }

  async poll(id: string, tag: string | null, signal?: AbortSignal): Promise<Polled> {
    const headers: Record<string, string> = tag === null ? {} : { 'if-none-match': tag };
    const answer = await this.#calls.call(`/v1/downloads/${id}`, { headers, ...(signal ? { signal } : {}) });
    const seconds = Number(answer.headers.get('retry-after') ?? Number.NaN);
    return {
      download: answer.status === 304 ? null : await answer.json(),
      tag: answer.headers.get('etag') ?? tag,
      waitMs: Number.isFinite(seconds) ? Math.max(1_000, seconds * 1_000) : POLL_MS,
    };
  }

  async cancel(id: string): Promise<Download> {
    return (await this.#calls.call(`/v1/downloads/${id}`, { method: 'DELETE' })).json();
  }

  async address(id: string): Promise<string> {
    const headers = { accept: 'application/json' };
    const told: Models['FileAddress'] = await (await this.#calls.call(`/v1/downloads/${id}/file`, { headers })).json();
    return told.url;
  }

  async watch(signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const headers = { accept: 'text/event-stream' };
    const answer = await this.#calls.call('/v1/downloads/events', { headers, signal });
    const fit = answer.headers.get('content-type')?.startsWith('text/event-stream') ?? false;
    if (!fit || !answer.body) {
      await answer.body?.cancel();
      throw new StreamUnfit('What came is no stream of events.');
    }
    return answer.body;
  }
}
