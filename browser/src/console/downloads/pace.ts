/** How far a download was, and when this page heard so. */
export interface Sample {
  atMs: number;
  bytes: number;
}

/** Older ones no longer tell how fast it goes now. */
const WINDOW_MS = 20_000;
/** Two tellings that close together say nothing about a pace. */
const SHORTEST_MS = 2_500;

/** The samples that count, with the newest; begun anew where the work was. */
export function sampled(before: readonly Sample[], one: Sample): readonly Sample[] {
  const last = before.at(-1);
  if (last && one.bytes < last.bytes) return [one];
  const recent = before.filter(({ atMs }) => one.atMs - atMs <= WINDOW_MS);
  return [...recent, one];
}

/** Bytes a second over the samples; null while that cannot be told. */
export function paceOf(samples: readonly Sample[]): number | null {
  const [first, last] = [samples[0], samples.at(-1)];
  if (!first || !last || last.atMs - first.atMs < SHORTEST_MS || last.bytes <= first.bytes) return null;
  return ((last.bytes - first.bytes) * 1000) / (last.atMs - first.atMs);
}

/** How long the rest takes at this pace, in ms; null where nobody can tell. */
export function timeLeftMs(done: number, total: number, pace: number | null): number | null {
  return pace === null || pace <= 0 ? null : (Math.max(0, total - done) * 1000) / pace;
}

/** The time left as one would say it, coarser the longer it is: `about 20 seconds left`, `about 4 minutes left`. */
export function leftWords(ms: number | null): string {
  if (ms === null) return '';
  const seconds = ms / 1000;
  if (seconds < 8) return 'a few seconds left';
  if (seconds < 95) return `about ${Math.ceil(seconds / 10) * 10} seconds left`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `about ${minutes} minutes left`;
  const hours = Math.round(minutes / 30) / 2;
  return `about ${hours} ${hours === 1 ? 'hour' : 'hours'} left`;
}
