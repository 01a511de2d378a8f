import type { components } from '../../recorder/api.generated';
import { CallFailed, problemIn } from '../api-calls';

type Models = components['schemas'];

/** A recording as its link shows it. */
export type Shared = Readonly<Models['SharedAnswer']>;
export type SharedChunk = Models['SharedChunk'];
type Page = Readonly<Models['SharedChunkPage']>;

/** Reads what a link leads to. Nobody is signed in for it. Every method rejects with `CallFailed`. */
export interface ShareView {
  view(shareId: string, signal?: AbortSignal): Promise<Shared>;
  chunks(shareId: string, after: number, limit: number, signal?: AbortSignal): Promise<Page>;
}

export class HttpShareView implements ShareView {
  readonly #endpoint: string;

  constructor(endpoint: string) {
    this.#endpoint = endpoint;
  }

  view(shareId: string, signal?: AbortSignal): Promise<Shared> {
    return this.#get(`/v1/shares/${encodeURIComponent(shareId)}`, signal);
  }

  chunks(shareId: string, after: number, limit: number, signal?: AbortSignal): Promise<Page> {
    return this.#get(`/v1/shares/${encodeURIComponent(shareId)}/chunks?after=${after}&limit=${limit}`, signal);
  }

  async #get<T>(path: string, signal?: AbortSignal): Promise<T> {
    let answer: Response;
    try {
      answer = await fetch(this.#endpoint + path, { signal: signal ?? null, credentials: 'omit' });
    } catch {
      signal?.throwIfAborted();
      throw new CallFailed({ code: 'network', detail: 'The server did not answer.' });
    }
    if (!answer.ok) throw new CallFailed(await problemIn(answer));
    return (await answer.json()) as T;
  }
}
