/** Who sends first: recordings before the files that are uploaded beside them. Decisions only. */
import type { Consignment } from './consignment';

/**
 * What is being recorded goes before what is only left over, and of those the newest first (UUIDv7 sorts by birth); then
 * files, and of these the one begun first.
 */
export function inOrder(entries: Iterable<Consignment>): Consignment[] {
  const rank = (entry: Consignment) => (entry.facts.file ? 2 : isRecorded(entry) ? 0 : 1);
  const isOlder = (a: Consignment, b: Consignment) => a.facts.id < b.facts.id;
  return [...entries].sort((a, b) => rank(a) - rank(b) || (isOlder(a, b) === (a.facts.file !== undefined) ? -1 : 1));
}

/**
 * Whether a chunk of this recording or file may be sent now. While something is being recorded, files leave the line to it:
 * none begins while a chunk of it waits or is on its way, and one at a time when none does. What is `urgent` goes anyway.
 */
export function maySend(entry: Consignment, entries: readonly Consignment[], urgent: boolean): boolean {
  if (entry.paused) return false;
  if (!entry.facts.file || urgent) return true;
  const recorded = entries.filter(isRecorded);
  if (recorded.length === 0) return true;
  return filesUnderWay(entries) === 0 && !recorded.some(({ shipment }) => shipment.hasToSend);
}

/** How many PUTs under way take no turn from this one: a recording does not wait for those of files. */
export function besideOf(entry: Consignment, entries: readonly Consignment[]): number {
  return entry.facts.file ? 0 : filesUnderWay(entries);
}

function filesUnderWay(entries: readonly Consignment[]): number {
  return entries.reduce((sum, { facts, shipment }) => sum + (facts.file ? shipment.underWay : 0), 0);
}

function isRecorded({ facts, shipment }: Consignment): boolean {
  return !facts.file && shipment.end === null && !shipment.completed;
}
