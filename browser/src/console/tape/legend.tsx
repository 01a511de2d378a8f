import { CELL_STATES, type CellState, STATE_WORDS } from '../chunk-words';
import type { TapeChunk } from '../tape-cells';
import { classNames } from '../ui/class-names';
import { ChunkFill, cellBorder } from './cell-fill';

const ALWAYS: readonly CellState[] = ['writing', 'on_disk', 'uploading', 'in_bucket', 'acked', 'confirmed', 'released'];

/** What the cells mean: the way of every chunk, then whatever else is to be seen at present. */
export function Legend({ chunks }: { chunks: readonly TapeChunk[] }) {
  const present = new Set(chunks.map(({ state }) => state));
  const others = CELL_STATES.filter((state) => present.has(state) && !ALWAYS.includes(state));
  return (
    <ul aria-label="Legend" className="flex flex-wrap gap-x-4 gap-y-1.5 text-[13px] text-soft">
      {[...ALWAYS, ...others].map((state) => (
        <li key={state} className="flex items-center gap-[7px]">
          <span
            aria-hidden="true"
            className={classNames('relative h-4 w-3 overflow-hidden rounded-[3px] border-[1.5px]', cellBorder(state))}
          >
            <ChunkFill state={state} />
          </span>
          {STATE_WORDS[state]}
        </li>
      ))}
    </ul>
  );
}
