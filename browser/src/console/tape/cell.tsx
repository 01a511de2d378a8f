import { memo } from 'react';
import { STATE_WORDS } from '../chunk-words';
import { bytes, span, whole } from '../format';
import type { TapeCell } from '../tape-cells';
import { classNames } from '../ui/class-names';
import { ChunkFill, cellBorder, GroupFill } from './cell-fill';

interface CellProps {
  cell: TapeCell;
  reachable: boolean;
  open: boolean;
}

/** One cell of the tape: a button that opens its facts. What it does is up to the run it stands in. */
export const Cell = memo(CellButton, (before, after) => {
  return before.reachable === after.reachable && before.open === after.open && looksSame(before.cell, after.cell);
});

function CellButton({ cell, reachable, open }: CellProps) {
  const group = cell.chunks.length > 1;
  return (
    <button
      type="button"
      tabIndex={reachable ? 0 : -1}
      data-seq={cell.first}
      data-last-seq={cell.last}
      data-state={cell.state}
      aria-haspopup="dialog"
      aria-expanded={open}
      aria-label={nameOf(cell)}
      className={classNames(
        'relative h-[30px] w-[22px] overflow-visible rounded-[5px]',
        cell.startsSegment &&
          (cell.silenceMs > 0
            ? 'ml-7 before:absolute before:top-1/2 before:-left-[25px] before:w-[21px] before:border-faint before:border-t-2 before:border-dashed'
            : 'ml-2 before:absolute before:-left-[7px] before:inset-y-0 before:w-0.5 before:rounded before:bg-faint'),
        group && 'piled',
        open && 'outline-2 outline-focus outline-offset-2',
      )}
    >
      <span
        className={classNames(
          'absolute inset-0 overflow-hidden rounded-[5px] border-[1.5px] bg-panel',
          cellBorder(cell.state),
        )}
      >
        {group ? <GroupFill chunks={cell.chunks} /> : <ChunkFill state={cell.state} />}
      </span>
    </button>
  );
}

function nameOf({ first, last, chunks, state, startsSegment, silenceMs }: TapeCell): string {
  const silence = silenceMs > 0 ? ` after ${span(silenceMs)} without a device` : '';
  const part = startsSegment ? `, a new part begins${silence}` : '';
  if (chunks.length > 1) return `Chunks ${whole(first)} to ${whole(last)}, ${groupWords(chunks, state)}${part}`;
  return `Chunk ${whole(first)}, ${STATE_WORDS[state]}, ${bytes(chunks[0]?.size ?? 0)}${part}`;
}

function groupWords(chunks: TapeCell['chunks'], state: TapeCell['state']): string {
  return chunks.every((chunk) => chunk.state === state) ? `all ${STATE_WORDS[state]}` : `some ${STATE_WORDS[state]}`;
}

function looksSame(a: TapeCell, b: TapeCell): boolean {
  if (
    a.first !== b.first ||
    a.last !== b.last ||
    a.state !== b.state ||
    a.startsSegment !== b.startsSegment ||
    a.silenceMs !== b.silenceMs
  )
    return false;
  return a.chunks.length === 1 || a.chunks.every((chunk, index) => chunk.state === b.chunks[index]?.state);
}
