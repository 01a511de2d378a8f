import type { Download } from './download-calls';

/** True while it still comes to something. */
export function isUnderWay({ state }: Pick<Download, 'state'>): boolean {
  return state === 'queued' || state === 'running';
}

/** The one with this id. */
export function known(downloads: readonly Download[], id: string): Download | undefined {
  return downloads.find((download) => download.id === id);
}

/** Both, each in its newest version, newest download first. */
export function merged(before: readonly Download[], fresh: readonly Download[]): readonly Download[] {
  const byId = new Map(before.map((one) => [one.id, one]));
  for (const one of fresh) {
    const old = byId.get(one.id);
    if (!old || one.version >= old.version) byId.set(one.id, one);
  }
  return [...byId.values()].sort((a, b) => order(b).localeCompare(order(a), 'en'));
}

/** The newest download of just these recordings. */
export function latestOf(downloads: readonly Download[], recordings: readonly string[]): Download | undefined {
  return downloads.find((one) => isOf(one, recordings));
}

/** One that was asked for after it, of the same recordings, and is under way or ready: nobody needs to ask again. */
export function successorOf(downloads: readonly Download[], download: Download): Download | undefined {
  const recordings = download.recordings.map(({ id }) => id);
  const later = downloads.slice(0, Math.max(0, downloads.indexOf(download)));
  return later.find((one) => (isUnderWay(one) || one.state === 'ready') && isOf(one, recordings));
}

function isOf({ recordings }: Download, ids: readonly string[]): boolean {
  return recordings.length === ids.length && recordings.every(({ id }, index) => id === ids[index]);
}

/** Ids are UUIDv7: of one moment, the later one sorts behind. */
function order({ created_at, id }: Download): string {
  return `${new Date(created_at).toISOString()} ${id}`;
}
