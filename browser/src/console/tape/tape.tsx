import { useLayoutEffect, useMemo, useRef, useState } from 'react';
import { clock, counted, whole } from '../format';
import { layTape, splitRun, type TapeCell, type TapeChunk } from '../tape-cells';
import { Button } from '../ui/button';
import { Popover } from '../ui/popover';
import { CellRun } from './cell-run';
import { ChunkFacts, GroupFacts } from './chunk-facts';
import { Legend } from './legend';

/** Inclusive range of seqs. */
type Run = readonly [first: number, last: number];

/** One cell a chunk, filling from the bottom as it gets safer. Long recordings group their older chunks. */
export function Tape({ chunks, recordingId }: { chunks: readonly TapeChunk[]; recordingId: string }) {
  const layout = useMemo(() => layTape(chunks), [chunks]);
  const [path, setPath] = useState<readonly Run[]>([]);
  const tape = useRef<HTMLDivElement>(null);
  const anchor = useRef<HTMLElement | null>(null);
  const opened = path[0] ?? null;

  // Cells are regrouped as the tape grows: the sheet then points at whichever holds what it shows.
  useLayoutEffect(() => {
    if (opened) anchor.current = buttonHolding(tape.current, opened[0]) ?? anchor.current;
  }, [opened]);

  const open = (cell: TapeCell) => setPath([[cell.first, cell.last]]);
  return (
    <div ref={tape} data-testid="tape" data-chunks={chunks.length}>
      <div className="mt-1.5 mb-3 flex flex-col gap-2">
        {layout.older.length > 0 ? (
          <div>
            <p className="mb-1.5 text-[13px] text-soft">{olderWords(layout.older, layout.perCell)}</p>
            <CellRun
              cells={layout.older}
              label={`Older chunks, ${layout.perCell} to a cell`}
              openSeq={opened?.[0] ?? null}
              onOpen={open}
            />
            <p className="mt-3 -mb-0.5 text-[13px] text-soft">
              The latest {counted(layout.latest.length, 'chunk')}, one to a cell
            </p>
          </div>
        ) : null}
        <CellRun cells={layout.latest} label="Chunks, one to a cell" openSeq={opened?.[0] ?? null} onOpen={open} />
      </div>
      <Legend chunks={chunks} />
      <Popover
        open={opened !== null}
        onClose={() => setPath([])}
        anchor={anchor}
        label="About this part of the recording"
      >
        {path.length > 0 ? <Opened chunks={chunks} path={path} onPath={setPath} recordingId={recordingId} /> : null}
      </Popover>
    </div>
  );
}

interface OpenedProps {
  chunks: readonly TapeChunk[];
  path: readonly Run[];
  onPath: (path: readonly Run[]) => void;
  recordingId: string;
}

/** The facts of the cell that is open; a group can be taken apart down to its chunks, and back. */
function Opened({ chunks, path, onPath, recordingId }: OpenedProps) {
  const [first, last] = path.at(-1) ?? [0, 0];
  const run = useMemo(() => chunks.filter(({ seq }) => first <= seq && seq <= last), [chunks, first, last]);
  const single = run.length === 1 ? run[0] : undefined;
  return (
    <>
      {path.length > 1 ? (
        <Button look="quiet" size="small" className="-mt-1 -ml-2 mb-1" onClick={() => onPath(path.slice(0, -1))}>
          Back to the group
        </Button>
      ) : null}
      {single ? (
        <ChunkFacts chunk={single} recordingId={recordingId} />
      ) : (
        <>
          <GroupFacts chunks={run} />
          <CellRun
            cells={splitRun(run)}
            label="Chunks of this group"
            openSeq={null}
            onOpen={(cell) => onPath([...path, [cell.first, cell.last]])}
          />
        </>
      )}
    </>
  );
}

function olderWords(older: readonly TapeCell[], perCell: number): string {
  const last = older.at(-1)?.chunks.at(-1);
  const until = last && last.durationMs > 0 ? `Up to ${clock(last.startMs + last.durationMs)}, ` : '';
  return until ? `${until}${whole(perCell)} chunks to a cell` : `Older chunks, ${whole(perCell)} to a cell`;
}

function buttonHolding(tape: HTMLElement | null, seq: number): HTMLElement | null {
  const buttons = [...(tape?.querySelectorAll('button') ?? [])];
  return buttons.find(({ dataset }) => Number(dataset.seq) <= seq && seq <= Number(dataset.lastSeq)) ?? null;
}
