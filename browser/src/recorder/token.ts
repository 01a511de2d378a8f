/** Tokens for the worker: asked from the page by message, one question at a time, and only for the owner of the spool. */
import { Failure } from './failure';

/** A page that does not answer within this time gets asked again with the next call. */
const ANSWER_TIMEOUT_MS = 15_000;

/** The `sub` of a JWT's payload, or null when the token is opaque. It is not verified: the control plane does that. */
export function subjectOf(token: string): string | null {
  const payload = token.split('.')[1];
  if (!payload) return null;
  try {
    const binary = atob(payload.replace(/-/g, '+').replace(/_/g, '/'));
    const claims: unknown = JSON.parse(new TextDecoder().decode(Uint8Array.from(binary, (c) => c.charCodeAt(0))));
    const subject = (claims as { sub?: unknown } | null)?.sub;
    return typeof subject === 'string' ? subject : null;
  } catch {
    // Not a JWT: opaque tokens are allowed, their owner comes from the options.
    return null;
  }
}

export class Tokens {
  readonly #ask: (request: number) => void;
  readonly #waiting = new Map<number, { resolve: (token: string) => void; reject: (error: Error) => void }>();
  #request = 0;
  #token: string | null = null;
  #asking: Promise<string> | null = null;
  /** Set once the spool is open: a token of somebody else must not send this owner's chunks. */
  expectedSubject: string | null = null;

  constructor(ask: (request: number) => void) {
    this.#ask = ask;
  }

  /** The present token, or a new one when `refused` is the present one. @throws Failure. */
  async get(refused: string | null): Promise<string> {
    if (this.#token !== null && this.#token !== refused) return this.#token;
    this.#token = null;
    this.#asking ??= this.#askPage().finally(() => {
      this.#asking = null;
    });
    const token = await this.#asking;
    const subject = subjectOf(token);
    if (this.expectedSubject !== null && subject !== null && subject !== this.expectedSubject) {
      throw new Failure('owner_changed');
    }
    this.#token = token;
    return token;
  }

  answered(request: number, token: string): void {
    this.#waiting.get(request)?.resolve(token);
  }

  failed(request: number, reason: string): void {
    this.#waiting.get(request)?.reject(new Failure('token_unavailable', reason));
  }

  async #askPage(): Promise<string> {
    this.#request += 1;
    const request = this.#request;
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      return await new Promise<string>((resolve, reject) => {
        this.#waiting.set(request, { resolve, reject });
        timer = setTimeout(() => reject(new Failure('token_unavailable', 'no answer')), ANSWER_TIMEOUT_MS);
        this.#ask(request);
      });
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(request);
    }
  }
}
