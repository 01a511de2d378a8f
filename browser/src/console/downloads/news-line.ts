import { backoffMs } from '../../recorder/backoff';
import { CallFailed } from '../api-calls';
import { Store } from '../store';
import { EventStreamParser, type StreamEvent } from './event-stream';

/**
 * `resting` nobody wants news; `connecting` asked, nothing heard yet; `live` news come as they happen; `polling` something on the
 * way holds the stream back, so the server is asked again and again; `lost` the server does not answer.
 */
export type LineState = 'resting' | 'connecting' | 'live' | 'polling' | 'lost';

export interface NewsLineOptions {
  /** Opens the stream. @throws CallFailed. */
  open: (signal: AbortSignal) => Promise<ReadableStream<Uint8Array>>;
  hear: (event: StreamEvent) => void;
  /** Asks once in place of the stream; answers how many ms later it wants to be asked again. @throws CallFailed. */
  poll: (signal: AbortSignal) => Promise<number>;
  random?: () => number;
}

/** The server speaks at once (`retry:`); who hears nothing for so long hears a proxy that gathers answers. */
export const FIRST_WORD_MS = 10_000;
/** It says something every 15 s: twice that and a little more, and the line is dead, as after sleep. */
export const SILENCE_MS = 40_000;
/** A stream that ends sooner was cut off on the way, not by the server, which lets it stand for minutes. */
export const SHORT_MS = 5_000;
/** One broken stream may be a restart; so many in a row are the way there. */
export const BROKEN_TIMES = 3;
/** For how long it is polled before a stream is tried again: who changed the network would have it back. */
export const POLLING_MS = 300_000;
/** Where the server does not say. */
const RETRY_MS = 2_000;

type Heard = 'enough' | 'broken' | 'failed';

/** One stream of news for as long as it is wanted: opened again whenever it ends, and replaced by polling where it does not pass. */
export class NewsLine {
  readonly state = new Store<LineState>('resting');
  readonly #options: Required<NewsLineOptions>;
  #wanted: AbortController | null = null;
  #broken = 0;
  #failures = 0;
  #retryMs = RETRY_MS;
  #heardAt = 0;
  /** Ends the present wait, or the present stream. */
  #goOn: () => void = () => undefined;

  constructor(options: NewsLineOptions) {
    this.#options = { random: Math.random, ...options };
  }

  /** Whether news are wanted from now on. */
  want(on: boolean): void {
    if (on === (this.#wanted !== null)) return;
    this.#wanted?.abort();
    this.#wanted = on ? new AbortController() : null;
    if (this.#wanted) void this.#run(this.#wanted.signal);
    else this.#set('resting');
  }

  /** Somebody came back, the network did, or somebody signed in: no use in waiting, or in a line that went silent meanwhile. */
  nudge(): void {
    if (this.state.get() === 'live' && Date.now() - this.#heardAt < SILENCE_MS / 2) return;
    this.#broken = 0;
    this.#goOn();
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.#failures === 0) this.#set('connecting');
      const heard = await this.#listen(signal);
      if (signal.aborted) return;
      this.#broken = heard === 'broken' ? this.#broken + 1 : heard === 'enough' ? 0 : this.#broken;
      if (heard === 'failed') await this.#afterFailure(signal);
      else if (this.#broken >= BROKEN_TIMES) await this.#pollFor(POLLING_MS, signal);
      else await this.#rest(this.#retryMs * (0.75 + this.#options.random() / 2), signal);
    }
  }

  async #afterFailure(signal: AbortSignal): Promise<void> {
    this.#failures += 1;
    this.#set('lost');
    await this.#rest(Math.max(RETRY_MS / 2, backoffMs(this.#failures, this.#options.random)), signal);
  }

  async #listen(wanted: AbortSignal): Promise<Heard> {
    const silence = new AbortController();
    const signal = AbortSignal.any([wanted, silence.signal]);
    let watchdog = setTimeout(() => silence.abort(), FIRST_WORD_MS);
    this.#goOn = () => silence.abort();
    const begun = Date.now();
    let spoke = false;
    try {
      const parser = new EventStreamParser();
      const decoder = new TextDecoder();
      const reader = (await this.#options.open(signal)).getReader();
      signal.addEventListener('abort', () => void reader.cancel().catch(() => undefined), { once: true });
      for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
        clearTimeout(watchdog);
        watchdog = setTimeout(() => silence.abort(), SILENCE_MS);
        spoke = true;
        this.#alive();
        for (const event of parser.push(decoder.decode(piece.value, { stream: true }))) this.#options.hear(event);
        this.#retryMs = parser.retryMs ?? this.#retryMs;
      }
    } catch (error) {
      // A stream that is torn off ends like any other; one that was refused, or found nobody, has failed.
      if (!spoke && !silence.signal.aborted && !(error instanceof StreamUnfit)) return 'failed';
    } finally {
      clearTimeout(watchdog);
    }
    return spoke && Date.now() - begun >= SHORT_MS ? 'enough' : 'broken';
  }

  #alive(): void {
    this.#heardAt = Date.now();
    this.#failures = 0;
    this.#set('live');
  }

  async #pollFor(ms: number, signal: AbortSignal): Promise<void> {
    const end = Date.now() + ms;
    while (!signal.aborted && Date.now() < end) {
      try {
        const wait = await this.#options.poll(signal);
        this.#failures = 0;
        if (signal.aborted) return;
        this.#set('polling');
        await this.#rest(wait, signal);
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof CallFailed)) throw error;
        await this.#afterFailure(signal);
      }
      if (this.#broken === 0) return;
    }
    // One more that breaks, and it is polled again.
    this.#broken = BROKEN_TIMES - 1;
  }

  #rest(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const over = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', over);
        resolve();
      };
      const timer = setTimeout(over, ms);
      signal.addEventListener('abort', over, { once: true });
      this.#goOn = over;
    });
  }

  #set(state: LineState): void {
    if (this.state.get() !== state) this.state.set(state);
  }
}

/** What came is no stream of events: something on the way answered in the server's place. */
export class StreamUnfit extends Error {
  override readonly name = 'StreamUnfit';
}
