import type { Availability } from './download-calls';

/** Which of several are downloaded: those that are whole, and `withParts` also what there is of the others; with their bytes. */
export function chosenOf(
  found: readonly Availability[],
  withParts: boolean,
): { ids: readonly string[]; bytes: number } {
  const chosen = found.filter(({ available, chunks, bytes }) => available || (withParts && chunks > 0 && bytes > 0));
  return {
    ids: chosen.map(({ recording_id }) => recording_id),
    bytes: chosen.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}
