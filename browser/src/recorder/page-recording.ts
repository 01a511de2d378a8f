/** One recording as its page has it: capture runs here, everything else is the worker's. */
import { Capture } from './capture';
import type { ToWorker } from './spool-protocol';
import type { Recording, WaitOptions } from './types';
import { until } from './waiting';

/** What a recording needs of the page's recorder. */
export interface RecordingLink {
  send(message: ToWorker): void;
  end(): Promise<void>;
  completed(signal: AbortSignal | undefined): Promise<void>;
  saveToFiles(options?: WaitOptions): Promise<File[]>;
  failed(error: unknown): void;
}

export class PageRecording implements Recording {
  readonly id: string;
  readonly #link: RecordingLink;
  readonly #capture: Capture;
  readonly #ended: Promise<void>;
  #settle: (ended: Promise<void>) => void = () => undefined;

  constructor(id: string, link: RecordingLink, stream: MediaStream, options: ConstructorParameters<typeof Capture>[1]) {
    this.id = id;
    this.#link = link;
    this.#ended = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#ended.catch((error: unknown) => link.failed(error));
    this.#capture = new Capture(stream, options, {
      slice: (blob, startMs, endMs) => link.send({ type: 'slice', id, blob, startMs, endMs }),
      stopped: () => this.#settle(link.end()),
      failed: (error) => link.failed(error),
    });
  }

  start(startMs: number): void {
    this.#capture.start(startMs);
  }

  pause(): void {
    this.#capture.pause();
    this.#tellPaused();
  }

  resume(): void {
    this.#capture.resume();
    this.#tellPaused();
  }

  stop(options: WaitOptions = {}): Promise<void> {
    this.#capture.stop();
    return until(this.#ended, options.signal);
  }

  completed(signal?: AbortSignal): Promise<void> {
    return this.#link.completed(signal);
  }

  saveToFiles(options?: WaitOptions): Promise<File[]> {
    return this.#link.saveToFiles(options);
  }

  #tellPaused(): void {
    this.#link.send({ type: 'paused', id: this.id, paused: this.#capture.isPaused });
  }
}
