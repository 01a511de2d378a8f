import type { Problem } from '../recorder/types';
import type { ClockWatch } from './clock-watch';
import { NoToken, type Session } from './session';

/** A call that was refused or not answered, as a problem document. */
export class CallFailed extends Error {
  override readonly name = 'CallFailed';
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

/** How a call is made; a `body` is sent as JSON. */
export interface CallOptions {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  body?: unknown;
  headers?: Readonly<Record<string, string>>;
  signal?: AbortSignal;
}

/** Calls to the control plane in the name of whoever is signed in. */
export class ApiCalls {
  readonly #endpoint: string;
  readonly #session: Session;
  readonly #clock: ClockWatch;

  constructor(endpoint: string, session: Session, clock: ClockWatch) {
    this.#endpoint = endpoint;
    this.#session = session;
    this.#clock = clock;
  }

  /** An answer that is no refusal: 2xx, or 304 where it was asked for so. @throws CallFailed, or what `signal` was aborted with. */
  async call(path: string, options: CallOptions = {}): Promise<Response> {
    const first = await this.#once(path, options);
    // A token may have been refused for its age alone: one more try with a new one tells.
    const answer = first.status === 401 ? await this.#once(path, options) : first;
    if (!answer.ok && answer.status !== 304) throw new CallFailed(await problemIn(answer));
    this.#session.accepted();
    return answer;
  }

  /** A call that outlives the page; nobody hears what comes of it. */
  lastWord(method: 'DELETE', path: string): void {
    const token = this.#session.held;
    if (token === null) return;
    const headers = { authorization: `Bearer ${token}` };
    fetch(this.#endpoint + path, { method, headers, keepalive: true }).catch(() => undefined);
  }

  async #once(path: string, { method = 'GET', body, headers, signal }: CallOptions): Promise<Response> {
    try {
      const token = await this.#session.token();
      const sent: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
      const answer = await fetch(this.#endpoint + path, {
        method,
        headers: { ...headers, ...sent, authorization: `Bearer ${token}` },
        body: body === undefined ? null : JSON.stringify(body),
        signal: signal ?? null,
      });
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

/** What a refusal says. */
export async function problemIn(answer: Response): Promise<Problem> {
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
