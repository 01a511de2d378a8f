import { memo, type ReactNode } from 'react';
import { RowDelete } from '../deleting/delete-button';
import { bytes, clock, moment } from '../format';
import { isGoing, type LibraryRow } from '../library-rows';
import { Link } from '../ui/link';
import { Pill } from '../ui/pill';
import { SafeBar } from './safe-bar';
import { whyNotSelectable } from './selecting';
import { Thumbnail } from './thumbnail';

/** The columns of the list, shared by its head and its rows: with lengths where any is known, else without. */
export function columnsOf(lengths: boolean): string {
  return lengths
    ? 'md:grid md:grid-cols-[minmax(0,1fr)_112px_68px_66px_72px_minmax(0,208px)] md:gap-x-4'
    : 'md:grid md:grid-cols-[minmax(0,1fr)_112px_66px_72px_minmax(0,208px)] md:gap-x-4';
}

interface RecordingRowProps {
  /** While recordings are being selected: whether this one is. */
  selected?: boolean | undefined;
  onSelect: (id: string) => void;
  row: LibraryRow;
  /** The list has a column of lengths. */
  lengths: boolean;
  now: number;
  /** Somebody wants it deleted: they are asked first. */
  onAsk: (id: string) => void;
  onUndo: (id: string) => void;
}

/** One recording; the whole row leads to it. */
export const RecordingRow = memo(function RecordingRow(props: RecordingRowProps) {
  const { row, lengths, now, onAsk, onUndo, selected, onSelect } = props;
  const going = row.deleting || row.wish !== undefined;
  return (
    <li className="row-lazy relative border-line border-b last:border-b-0">
      <Frame row={row} selected={selected} lengths={lengths}>
        <span className="flex min-w-0 items-center gap-3">
          {selected === undefined ? null : <SelectBox row={row} selected={selected} onSelect={onSelect} />}
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
      </Frame>
      {selected === undefined ? (
        <RowDelete
          id={row.id}
          title={row.title}
          wish={row.wish}
          deleting={row.deleting}
          onAsk={onAsk}
          onUndo={onUndo}
          className="absolute top-1/2 right-2.5 -translate-y-1/2 max-md:top-2 max-md:size-10 max-md:translate-y-0"
        />
      ) : null}
    </li>
  );
});

/** Leads to the recording; while recordings are being selected, the whole row is the label of its box. */
function Frame({ row, selected, lengths, children }: FrameProps) {
  const look = `block py-[13px] pr-14 pl-4 hover:bg-paper md:items-center ${columnsOf(lengths)}`;
  if (selected !== undefined)
    return (
      <label htmlFor={`select-${row.id}`} data-choice="" className={look}>
        {children}
      </label>
    );
  return (
    <Link
      href={`/recordings/${row.id}`}
      data-testid="recordings-row"
      data-id={row.id}
      className={`${look} focus-visible:outline-offset-[-2px]`}
    >
      {children}
    </Link>
  );
}

interface FrameProps {
  row: LibraryRow;
  selected: boolean | undefined;
  lengths: boolean;
  children: ReactNode;
}

function SelectBox({
  row,
  selected,
  onSelect,
}: {
  row: LibraryRow;
  selected: boolean;
  onSelect: (id: string) => void;
}) {
  const why = whyNotSelectable(row);
  return (
    <input
      id={`select-${row.id}`}
      type="checkbox"
      data-testid="select-row"
      data-id={row.id}
      aria-label={why ? `${row.title}: ${why}` : `Select ${row.title}`}
      title={why ?? undefined}
      disabled={why !== null}
      checked={selected && why === null}
      onChange={() => onSelect(row.id)}
      className="size-[18px] shrink-0 accent-ink"
    />
  );
}

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
