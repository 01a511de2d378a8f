import { counted, moment } from '../format';
import type { LibraryRow } from '../library-rows';
import { Pill } from '../ui/pill';

/** What was deleted and is watched until nothing of it can come back; out of the way, and not hidden. */
export function BeingDeleted({ rows, now }: { rows: readonly LibraryRow[]; now: number }) {
  if (rows.length === 0) return null;
  return (
    <details data-testid="being-deleted" data-count={rows.length} className="mt-4 text-[13.5px] text-soft">
      <summary className="w-fit rounded px-1 hover:text-ink">
        {counted(rows.length, 'recording')} {rows.length === 1 ? 'is' : 'are'} being deleted
      </summary>
      <p className="mt-2 max-w-[72ch] text-pretty px-1">
        Nobody can read {rows.length === 1 ? 'it' : 'them'} any more. The bucket is looked at again until no upload that
        was under way can arrive late; that takes a while, and nothing has to be done.
      </p>
      <ul aria-label="Being deleted" className="mt-2 grid gap-1.5 px-1">
        {rows.map((row) => (
          <li key={row.id} data-id={row.id} className="flex flex-wrap items-center gap-x-3 gap-y-1">
            <span className="min-w-0 truncate">{row.title}</span>
            <Pill>{row.state.words}</Pill>
            {row.stored?.deletion ? (
              <span className="text-[13px]">since {moment(Date.parse(row.stored.deletion.requested_at), now)}</span>
            ) : null}
          </li>
        ))}
      </ul>
    </details>
  );
}
