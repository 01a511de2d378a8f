const DAY_MS = 86_400_000;

/** When a link may end, as the dialog offers it. */
export interface End {
  value: string;
  words: string;
  /** From now; null for never. */
  afterMs: number | null;
}

export const ENDS: readonly End[] = [
  { value: 'never', words: 'As long as the recording is there', afterMs: null },
  { value: 'hour', words: 'For an hour from now', afterMs: DAY_MS / 24 },
  { value: 'day', words: 'For a day from now', afterMs: DAY_MS },
  { value: 'week', words: 'For a week from now', afterMs: 7 * DAY_MS },
  { value: 'month', words: 'For 30 days from now', afterMs: 30 * DAY_MS },
];

/** The moment that a choice means, for the server; null is no end. */
export function endOf(value: string, nowMs: number): string | null {
  const chosen = ENDS.find((end) => end.value === value);
  return chosen?.afterMs ? new Date(nowMs + chosen.afterMs).toISOString() : null;
}
