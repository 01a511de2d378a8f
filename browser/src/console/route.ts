import { useSyncExternalStore } from 'react';

export type Route =
  | { page: 'record' }
  | { page: 'library' }
  | { page: 'downloads' }
  | { page: 'recording'; id: string }
  | { page: 'unknown' };

/** Which page a path names. Ids are lower-case UUIDs; any other path is `unknown`. */
export function routeOf(path: string): Route {
  const parts = path.split('/').filter(Boolean);
  if (parts.length === 0) return { page: 'record' };
  if (path === '/downloads') return { page: 'downloads' };
  if (parts[0] !== 'recordings' || parts.length > 2) return { page: 'unknown' };
  const id = parts[1];
  if (id === undefined) return { page: 'library' };
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id) ? { page: 'recording', id } : { page: 'unknown' };
}

/** What a path of the form `/s/{share_id}` has in it; null for any other. */
export function sharedIn(path: string): string | null {
  return /^\/s\/([^/]+)$/.exec(path)?.[1] ?? null;
}

/** Goes to an address of this page without loading it anew: recording and sending go on. */
export function go(address: string): void {
  if (address !== location.pathname + location.search) history.pushState(null, '', address);
  dispatchEvent(new PopStateEvent('popstate'));
  scrollTo(0, 0);
}

/** The present path; renders again whenever it changes. */
export function usePath(): string {
  return useSyncExternalStore(onMove, () => location.pathname);
}

function onMove(listener: () => void): () => void {
  addEventListener('popstate', listener);
  return () => removeEventListener('popstate', listener);
}
