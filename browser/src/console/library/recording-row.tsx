import { memo } from 'react';
import { RowDelete } from '../deleting/delete-button';
import { bytes, clock, moment } from '../format';
import { isGoing, type LibraryRow } from '../library-rows';
import { Link } from '../ui/link';
import { Pill } from '../ui/pill';
import { SafeBar } from './safe-bar';
import { Thumbnail } from './thumbnail';

/** The columns of the list, shared by its head and its rows: with lengths where any is known, else without. */
export function columnsOf(lengths: boolean): string {
  return lengths
    ? 'md:grid md:grid-cols-[minmax(0,1fr)_112px_68px_66px_72px_minmax(0,208px)] md:gap-x-4'
    : 'md:grid md:grid-cols-[minmax(0,1fr)_112px_66px_72px_minmax(0,208px)] md:gap-x-4';
}

interface RecordingRowProps {
  row: LibraryRow;
  /** The list has a column of lengths. */
  lengths: boolean;
  now: number;
  /** Somebody wants it deleted: they are asked first. */
  onAsk: (id: string) => void;
  onUndo: (id: string) => void;
}

/** One recording; the whole row leads to it. */
export const RecordingRow = memo(function RecordingRow({ row, lengths, now, onAsk, onUndo }: RecordingRowProps) {
  const going = row.deleting || row.wish !== undefined;
  return (
    <li className="row-lazy relative border-line border-b last:border-b-0">
      <Link
        href={`/recordings/${row.id}`}
        data-testid="recordings-row"
        data-id={row.id}
        className={`block py-[13px] pr-14 pl-4 hover:bg-paper focus-visible:outline-offset-[-2px] md:items-center ${columnsOf(lengths)}`}
      >
        <span className="flex min-w-0 items-center gap-3">
          <Thumbnail row={row} />
          <span
            title={row.title}
            className={`line-clamp-2 min-w-0 break-words font-medium leading-snug ${going && row.wish?.phase !== 'failed' ? 'text-soft' : ''}`}
          >
            {row.title}
          </span>
        </span>
        <span className="text-[13.5px] text-soft">{moment(row.startedAt, now)}</span>
        {lengths ? <Figure name="Length">{row.lengthMs === null ? null : clock(row.lengthMs)}</Figure> : null}
        <Figure name="Size">{bytes(row.bytes)}</Figure>
        {isGoing(row) ? (
          <span className="max-md:hidden" />
        ) : (
          <SafeBar
            safe={row.safe}
            lost={row.lost}
            className={`max-md:my-2 ${going && row.wish?.phase !== 'failed' ? 'opacity-35' : ''}`}
          />
        )}
        <span className="min-w-0">
          <Pill tone={row.state.tone} dot={row.state.recording ? 'recording' : 'still'}>
            {row.state.words}
          </Pill>
        </span>
      </Link>
      <RowDelete
        id={row.id}
        title={row.title}
        wish={row.wish}
        deleting={row.deleting}
        onAsk={onAsk}
        onUndo={onUndo}
        className="absolute top-1/2 right-2.5 -translate-y-1/2 max-md:top-2 max-md:size-10 max-md:translate-y-0"
      />
    </li>
  );
});

/** A figure with its name for those who do not see the column; an empty place where it is not known. */
function Figure({ name, children }: { name: string; children: string | null }) {
  if (children === null) return <span className="max-md:hidden" />;
  return (
    <span className="max-md:text-[13.5px] max-md:text-soft md:text-right">
      <span className="sr-only">, {name} </span>
      <span className="max-md:before:content-['_·_']">{children}</span>
    </span>
  );
}
