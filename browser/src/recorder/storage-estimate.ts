/** What the browser says of this origin's storage, as far as it can be true. */

/**
 * Nothing but the recorder is expected to keep this much on its origin: an estimate that names so much more than what is held
 * is one that ran below zero (Chromium counts to just under 2^32 after files of another visit were removed).
 */
const BEYOND_BELIEF = 2 ** 31;

/**
 * The bytes in use by an estimate, or null where it tells none, or one that cannot be true. `held` is what the recorder
 * knows it keeps, in bytes; null where it keeps more than it can count.
 */
export function credibleUsage({ usage, quota }: StorageEstimate, held: number | null): number | null {
  if (usage === undefined) return null;
  if (quota !== undefined && usage > quota) return null;
  return held !== null && usage - held > BEYOND_BELIEF ? null : usage;
}
