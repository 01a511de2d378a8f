/** Numbers, sizes and times as this page writes them. All pure; what they answer is for reading only. */

const DAY_MS = 86_400_000;

/** Recorded or elapsed time as `hh:mm:ss`, cut (not rounded): a clock never shows a second that is not over. */
export function clock(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return parts.map((part) => String(part).padStart(2, '0')).join(':');
}

/** A length in words: `18 seconds`, `1 second`, `4 min 10 s`, `2 h 5 min`. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return seconds === 1 ? '1 second' : `${seconds} seconds`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
}

/** A rough length for how long something lasts: `33 h`, `48 min`, `3 days`. */
export function roughly(ms: number): string {
  if (ms < 3_600_000) return `${Math.max(0, Math.floor(ms / 60_000))} min`;
  if (ms < 10 * DAY_MS) return `${whole(Math.floor(ms / 3_600_000))} h`;
  return `${whole(Math.floor(ms / DAY_MS))} days`;
}

/** A count with thousands apart: `3,000`. */
export function whole(count: number): string {
  return Math.round(count).toLocaleString('en-US');
}

/** A count with its noun: `1 chunk`, `3,000 chunks`. */
export function counted(count: number, noun: string): string {
  return `${whole(count)} ${noun}${count === 1 ? '' : 's'}`;
}

const SIZES = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** A size with its decimal unit, three digits at most: `61.4 MB`, `822 MB`, `512 B`. */
export function bytes(size: number): string {
  return scaled(size, SIZES);
}

/** A rate in bits a second from bytes a second, as lines are sold: `2.4 Mbit/s`. */
export function rate(bytesPerSecond: number): string {
  return scaled(bytesPerSecond * 8, ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s']);
}

/** Milliseconds as measured: `1.4 ms`, `120 ms`. */
export function milliseconds(ms: number): string {
  return `${ms < 100 ? ms.toFixed(1) : whole(ms)} ms`;
}

/** Inclusive ranges for reading: `0–41, 43`. */
export function rangeList(ranges: readonly (readonly [number, number])[]): string {
  return ranges.map(([first, last]) => (first === last ? whole(first) : `${whole(first)}–${whole(last)}`)).join(', ');
}

/** A moment near now: `today 14:02`, `yesterday 11:30`, `2 Nov 14:02`, `2 Nov 2025`. */
export function moment(epochMs: number, nowMs: number): string {
  const then = new Date(epochMs);
  const days = Math.round((midnight(nowMs) - midnight(epochMs)) / DAY_MS);
  if (days === 0) return `today ${timeOfDay(then)}`;
  if (days === 1) return `yesterday ${timeOfDay(then)}`;
  const day = `${then.getDate()} ${then.toLocaleString('en-GB', { month: 'short' })}`;
  return then.getFullYear() === new Date(nowMs).getFullYear()
    ? `${day} ${timeOfDay(then)}`
    : `${day} ${then.getFullYear()}`;
}

/** A moment to the second, on this device's clock: `14:02:09`. */
export function instant(epochMs: number): string {
  const then = new Date(epochMs);
  return [then.getHours(), then.getMinutes(), then.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':');
}

function scaled(value: number, units: readonly string[]): string {
  let amount = Math.max(0, value);
  let unit = 0;
  while (amount >= 999.5 && unit < units.length - 1) {
    amount /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || amount >= 99.95 ? 0 : 1;
  const figure = amount.toFixed(digits);
  return `${amount >= 10 ? figure.replace('.0', '') : figure} ${units[unit]}`;
}

function midnight(epochMs: number): number {
  return new Date(epochMs).setHours(0, 0, 0, 0);
}

function timeOfDay(then: Date): string {
  return `${String(then.getHours()).padStart(2, '0')}:${String(then.getMinutes()).padStart(2, '0')}`;
}
