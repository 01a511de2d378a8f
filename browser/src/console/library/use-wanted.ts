import { useEffect, useState } from 'react';
import { routeOf } from '../route';
import { queryOf, type Wanted, wantedIn } from './finding';

/** Not at every key: browsers refuse an address that changes a hundred times in half a minute. */
const KEPT_MS = 300;

/** Where the list was left: a recording's page leads back to it as it was. */
let left = '';

/** The address of the list as it was when it was last in view on this page. */
export function listAddress(): string {
  return `/recordings${left}`;
}

/**
 * What is looked for, kept in the address: a reload, the way back and a copied link show the same list. An address that is gone to
 * says what is looked for: "Recordings" among the pages is all of them, whatever was looked for before.
 */
export function useWanted(): [Wanted, (wanted: Wanted) => void] {
  const [wanted, setWanted] = useState(() => wantedIn(location.search));
  useEffect(() => {
    left = queryOf(wanted);
    const timer = setTimeout(() => {
      if (location.search !== left) history.replaceState(history.state, '', location.pathname + left);
    }, KEPT_MS);
    return () => clearTimeout(timer);
  }, [wanted]);
  useEffect(() => {
    const onMove = () => {
      if (routeOf(location.pathname).page === 'library') setWanted(wantedIn(location.search));
    };
    addEventListener('popstate', onMove);
    return () => removeEventListener('popstate', onMove);
  }, []);
  return [wanted, setWanted];
}
