import type { components } from '../recorder/api.generated';
import type { Problem } from '../recorder/types';
import { Store } from './store';

/**
 * `unknown` not asked yet; `signed_in` a token is at hand; `signed_out` this server hands out none to the page: somebody
 * has to paste one; `refused` the pasted one was not taken; `unreachable` the server did not answer.
 */
export type SessionState = 'unknown' | 'signed_in' | 'signed_out' | 'refused' | 'unreachable';

/** No token could be had; `problem` says why and what to do. */
export class NoToken extends Error {
  override readonly name = 'NoToken';
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

/** Survives a reload, not the tab: a token is worth as much as what it opens. */
const STORED = 'safereel.token';
/** A token this close to its end may be refused on arrival. */
const MARGIN_MS = 60_000;

interface Held {
  token: string;
  expiresAt: number;
  pasted: boolean;
}

/** The page's tokens: from `POST /v1/session` where the server has it, else the one that somebody pasted. */
export class Session {
  readonly state = new Store<SessionState>('unknown');
  readonly #endpoint: string;
  #held: Held | null;
  #asking: Promise<Held> | null = null;
  #handedToRecorder: string | null = null;
  #reason: string | null = null;

  constructor(endpoint: string) {
    this.#endpoint = endpoint;
    const stored = sessionStorage.getItem(STORED);
    this.#held = stored ? pasted(stored) : null;
  }

  /** A token to call with. @throws NoToken. */
  async token(): Promise<string> {
    if (!this.#held || this.#held.expiresAt - MARGIN_MS < Date.now()) await this.#renew();
    if (!this.#held) throw this.#none();
    if (!this.#held.pasted) this.#setState('signed_in');
    return this.#held.token;
  }

  /** The token at hand, for who cannot wait for another; null where there is none. */
  get held(): string | null {
    return this.#held?.token ?? null;
  }

  /** Why the pasted token was not taken, for a person; null where nobody said. */
  get reason(): string | null {
    return this.#reason;
  }

  /** For the recorder, which keeps a token until it is refused: to be asked again with the same one means just that. */
  async tokenForRecorder(): Promise<string> {
    if (this.#handedToRecorder !== null) this.refused(this.#handedToRecorder);
    const token = await this.token();
    this.#handedToRecorder = token;
    return token;
  }

  /** The server answered 401 to this token, with or without a `reason`: it is not used again. */
  refused(token: string, reason: string | null = null): void {
    if (this.#held?.token !== token) return;
    const wasPasted = this.#held.pasted;
    this.#held = null;
    if (!wasPasted) return;
    sessionStorage.removeItem(STORED);
    this.#reason = reason;
    this.#setState('refused');
  }

  /** The recorder cannot tell whose recordings these would be: a pasted token that does not say it is not used again. */
  namesNobody(): void {
    if (!this.#held?.pasted) return;
    this.refused(
      this.#held.token,
      'It does not say whose recordings these would be. Perhaps only a part of it was copied.',
    );
  }

  /** A call with this token was answered: a pasted one counts as good only then. */
  accepted(): void {
    this.#setState('signed_in');
  }

  /** Takes a token that somebody pasted. */
  paste(token: string): void {
    sessionStorage.setItem(STORED, token);
    this.#held = pasted(token);
    this.#handedToRecorder = null;
    this.#reason = null;
    this.#setState('signed_in');
  }

  async #renew(): Promise<void> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = null;
    });
    this.#held = await this.#asking;
  }

  async #ask(): Promise<Held> {
    let answer: Response;
    try {
      answer = await fetch(`${this.#endpoint}/v1/session`, { method: 'POST' });
    } catch {
      this.#outOfReach();
      throw new NoToken({ code: 'network', detail: 'The server did not answer. It is asked again by itself.' });
    }
    if (answer.ok) {
      const { token, expires_at } = (await answer.json()) as components['schemas']['SessionToken'];
      return { token, expiresAt: Date.parse(expires_at), pasted: false };
    }
    if (answer.status >= 500) this.#outOfReach();
    else if (this.state.get() !== 'refused') this.#setState('signed_out');
    throw this.#none();
  }

  /** Who was told that a token was not taken has to paste another one, whether the server answers or not: that form stays. */
  #outOfReach(): void {
    if (this.state.get() !== 'refused') this.#setState('unreachable');
  }

  #none(): NoToken {
    const detail =
      this.state.get() === 'unreachable'
        ? 'The server gave no token. It is asked again by itself.'
        : 'Nobody is signed in. Paste a token to go on.';
    return new NoToken({ code: 'token_unavailable', detail });
  }

  #setState(state: SessionState): void {
    if (this.state.get() !== state) this.state.set(state);
  }
}

function pasted(token: string): Held {
  return { token, expiresAt: Number.POSITIVE_INFINITY, pasted: true };
}
