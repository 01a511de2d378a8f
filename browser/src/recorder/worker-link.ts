/** The page's end of the line to its worker: starts it, and finds the question to each answer. */
import { errorFrom, SafereelError } from './errors';
import { troubleOf } from './failure';
import type { FromWorker, ToWorker } from './spool-protocol';

type WithoutRequest<T> = T extends unknown ? Omit<T, 'request'> : never;
/** What the worker answers. */
export type Question = WithoutRequest<
  Extract<ToWorker, { type: 'begin' | 'end' | 'upload' | 'delete' | 'save' | 'close' }>
>;
export type Answer = Extract<FromWorker, { type: 'began' | 'uploading' | 'saved' | 'done' }>;
/** What the worker tells unasked. */
export type News = Exclude<FromWorker, Answer | { type: 'failed' }>;

export interface WorkerLinkEvents {
  news(message: News): void;
  /** The worker is gone: all that was asked of it was refused with this. */
  failed(error: SafereelError): void;
}

export class WorkerLink {
  readonly #worker: Worker;
  readonly #events: WorkerLinkEvents;
  readonly #asked = new Map<number, { resolve: (answer: Answer) => void; reject: (error: unknown) => void }>();
  #request = 0;

  /** Starts the worker from `url`, or (undefined) from beside this module. */
  constructor(url: string | URL | undefined, events: WorkerLinkEvents) {
    this.#events = events;
    // Bundlers find the worker by the second expression, and by no other way of writing it.
    this.#worker = url
      ? new Worker(url, { type: 'module', name: 'safereel' })
      : new Worker(new URL('./spool.worker.ts', import.meta.url), { type: 'module', name: 'safereel' });
    this.#worker.onmessage = (event: MessageEvent<FromWorker>) => this.#onMessage(event.data);
    this.#worker.onerror = (event) => this.#onError(event);
    this.#worker.onmessageerror = () =>
      events.news({ type: 'problem', problem: troubleOf('worker_failed', 'a message could not be read') });
  }

  send(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  /** The answer, or a SafereelError. When `signal` aborts the worker is told to give up, and its reason is thrown. */
  async ask(question: Question, signal?: AbortSignal): Promise<Answer> {
    this.#request += 1;
    const request = this.#request;
    const onAbort = () => {
      this.send({ type: 'give_up', request });
      this.#asked.get(request)?.reject(signal?.reason);
    };
    signal?.addEventListener('abort', onAbort);
    try {
      return await new Promise<Answer>((resolve, reject) => {
        this.#asked.set(request, { resolve, reject });
        this.send({ ...question, request });
      });
    } finally {
      this.#asked.delete(request);
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Ends the worker; what still waits for an answer is refused. */
  close(): void {
    this.#worker.terminate();
    this.#failAll(new SafereelError('closed'));
  }

  #onMessage(message: FromWorker): void {
    switch (message.type) {
      case 'began':
      case 'uploading':
      case 'saved':
      case 'done':
        this.#asked.get(message.request)?.resolve(message);
        return;
      case 'failed':
        this.#asked.get(message.request)?.reject(errorFrom(message.problem));
        return;
      default:
        this.#events.news(message);
    }
  }

  #onError(event: ErrorEvent): void {
    // A script that was not loaded (not found, or refused by the page's policy) fails without a word.
    const error = new SafereelError('worker_failed', event.message || 'its script was not loaded');
    this.#failAll(error);
    this.#events.failed(error);
  }

  #failAll(error: Error): void {
    for (const { reject } of this.#asked.values()) reject(error);
  }
}
