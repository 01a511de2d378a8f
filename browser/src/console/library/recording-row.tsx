import { memo } from 'react';
import { bytes, clock, moment } from '../format';
import type { LibraryRow } from '../library-rows';
import { Link } from '../ui/link';
import { Pill } from '../ui/pill';
import { SafeBar } from './safe-bar';

/** The columns of the list, shared by its head and its rows. */
export const COLUMNS = 'md:grid md:grid-cols-[minmax(0,1fr)_112px_76px_76px_110px_minmax(0,248px)] md:gap-x-5';

/** One recording; the whole row leads to it. */
export const RecordingRow = memo(function RecordingRow({ row, now }: { row: LibraryRow; now: number }) {
  return (
    <li className="row-lazy border-line border-b last:border-b-0">
      <Link
        href={`/recordings/${row.id}`}
        data-testid="recordings-row"
        data-id={row.id}
        className={`block px-4 py-[13px] hover:bg-paper focus-visible:outline-offset-[-2px] md:items-center ${COLUMNS}`}
      >
        <span className="block truncate font-medium">{row.title}</span>
        <span className="text-[13.5px] text-soft">{moment(row.startedAt, now)}</span>
        <Figure name="Length">{row.lengthMs === null ? '' : clock(row.lengthMs)}</Figure>
        <Figure name="Size">{bytes(row.bytes)}</Figure>
        <SafeBar safe={row.safe} lost={row.lost} className="max-md:my-2" />
        <span className="min-w-0">
          <Pill tone={row.state.tone} dot={row.state.recording ? 'recording' : 'still'}>
            {row.state.words}
          </Pill>
        </span>
      </Link>
    </li>
  );
});

function Figure({ name, children }: { name: string; children: string }) {
  return (
    <span className="max-md:text-[13.5px] max-md:text-soft md:text-right">
      <span className="sr-only">, {name} </span>
      {children ? (
        <span className="max-md:before:content-['_·_']">{children}</span>
      ) : (
        <span className="text-soft max-md:hidden">–</span>
      )}
    </span>
  );
}
