import { useCallback, useMemo, useState } from 'react';
import type { LibraryRow } from '../library-rows';

/** As many as one download takes. */
export const MOST = 1_000;

/** Why a recording cannot be selected for a download; null where it can. */
export function whyNotSelectable(row: LibraryRow): string | null {
  if (row.deleting || row.wish) return 'it is being deleted';
  return row.stored ? null : 'nothing of it is in the bucket yet';
}

/** Those of these rows that are selected, in the order in which they are shown. */
export function selectedOf(rows: readonly LibraryRow[], ids: ReadonlySet<string>): readonly LibraryRow[] {
  return rows.filter((row) => ids.has(row.id) && whyNotSelectable(row) === null);
}

/** All that are shown and can be; or none, where all of them were. */
export function toggledAll(rows: readonly LibraryRow[], ids: ReadonlySet<string>): ReadonlySet<string> {
  const can = rows.filter((row) => whyNotSelectable(row) === null).slice(0, MOST);
  return can.every(({ id }) => ids.has(id)) ? new Set() : new Set(can.map(({ id }) => id));
}

/** Recordings that are being selected in the library; what is no longer shown does not count. */
export function useSelecting(shown: readonly LibraryRow[]) {
  const [on, setOn] = useState(false);
  const [ids, setIds] = useState<ReadonlySet<string>>(new Set());
  const selected = useMemo(() => selectedOf(shown, ids), [shown, ids]);
  const toggle = useCallback((id: string) => {
    setIds((before) => {
      const next = new Set(before);
      if (!next.delete(id)) next.add(id);
      return next;
    });
  }, []);
  const end = useCallback(() => {
    setOn(false);
    setIds(new Set());
  }, []);
  return {
    on,
    ids,
    selected,
    toggle,
    begin: useCallback(() => setOn(true), []),
    end,
    toggleAll: () => setIds(toggledAll(shown, ids)),
  };
}

export type Selecting = ReturnType<typeof useSelecting>;
