import type { components } from '../../recorder/api.generated';
import type { ApiCalls } from '../api-calls';

/** A recording's link as it is now. */
export type Share = Readonly<components['schemas']['ShareAnswer']>;

/** What an owner decides about links. Every method rejects with `CallFailed`. */
export interface Sharing {
  share(id: string, expiresAt: string | null): Promise<Share>;
  revoke(id: string): Promise<Share>;
}

export class HttpSharing implements Sharing {
  readonly #calls: ApiCalls;

  constructor(calls: ApiCalls) {
    this.#calls = calls;
  }

  async share(id: string, expiresAt: string | null): Promise<Share> {
    const answer = await this.#calls.call(`/v1/recordings/${id}/share`, {
      method: 'PUT',
      body: { expires_at: expiresAt },
    });
    return (await answer.json()) as Share;
  }

  async revoke(id: string): Promise<Share> {
    return (await this.#calls.call(`/v1/recordings/${id}/share`, { method: 'DELETE' })).json() as Promise<Share>;
  }
}
