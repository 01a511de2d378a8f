import { Store } from './store';

const MINUTE_MS = 60_000;

/** Less is what lines and a server's own clock make. */
const WORTH_MS = 2 * MINUTE_MS;

/** How far this device's clock is off, by the server's answers: whole minutes in ms, ahead of it or (below 0) behind; 0 where that is not worth a word. */
export class ClockWatch {
  readonly state = new Store(0);

  /** An answer came just now. */
  answered(headers: Headers, now: number = Date.now()): void {
    const ahead = now - Date.parse(headers.get('date') ?? '');
    if (Number.isNaN(ahead)) return; // The server tells no time, or a proxy took it away.
    this.state.set(Math.abs(ahead) < WORTH_MS ? 0 : Math.round(ahead / MINUTE_MS) * MINUTE_MS);
  }
}
