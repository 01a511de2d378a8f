/** One server-sent event (HTML standard, 9.2). */
export interface StreamEvent {
  name: string;
  data: string;
  id: string;
}

/**
 * Cuts server-sent events out of a stream's text, however it was split on the way. Comments only show that the line lives, and
 * give nothing.
 */
export class EventStreamParser {
  #rest = '';
  #name = '';
  #data: string[] = [];
  #id = '';
  #retryMs: number | null = null;

  /** How long the server asks to wait before coming again; null where it did not say. */
  get retryMs(): number | null {
    return this.#retryMs;
  }

  /** The events that this piece of text completes. */
  push(text: string): StreamEvent[] {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    // A line counts once its end is there; a CR at the very end may be half of one.
    this.#rest = lines.pop() ?? '';
    return lines.flatMap((line) => this.#line(line) ?? []);
  }

  #line(line: string): StreamEvent | null {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    if (colon === 0) return null;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') this.#name = value;
    else if (field === 'data') this.#data.push(value);
    else if (field === 'id' && !value.includes('\0')) this.#id = value;
    else if (field === 'retry' && /^\d+$/.test(value)) this.#retryMs = Number(value);
    return null;
  }

  #dispatch(): StreamEvent | null {
    const event = { name: this.#name || 'message', data: this.#data.join('\n'), id: this.#id };
    const empty = this.#data.length === 0;
    this.#name = '';
    this.#data = [];
    return empty ? null : event;
  }
}
