import { type CellState, meaningOf } from '../chunk-words';
import { stateCounts, type TapeChunk } from '../tape-cells';
import { classNames } from '../ui/class-names';

const BORDERS: Record<CellState, string> = {
  writing: 'border-dashed border-faint',
  on_disk: 'border-hold',
  uploading: 'border-hold',
  in_bucket: 'border-hold',
  acked: 'border-safe',
  confirmed: 'border-safe',
  released: 'border-transparent',
  resending: 'border-dashed border-alert',
  absent: 'border-dashed border-hold',
  missing: 'border-dashed border-alert',
  lost: 'border-alert crossed',
};

const FILLS: Record<CellState, string> = {
  writing: 'h-0',
  on_disk: 'h-[20%] bg-hold',
  uploading: 'h-[40%] bg-hold',
  in_bucket: 'h-[62%] bg-hold',
  acked: 'h-[82%] bg-safe/55',
  confirmed: 'h-full bg-safe',
  released: 'h-full bg-safe/25',
  resending: 'h-[40%] bg-alert/45',
  absent: 'h-0',
  missing: 'h-0',
  lost: 'h-0',
};

/** Class names for the border of a cell in this state. */
export function cellBorder(state: CellState): string {
  return BORDERS[state];
}

/** How full a single chunk's cell is: it fills from the bottom as the chunk gets safer. */
export function ChunkFill({ state }: { state: CellState }) {
  return (
    <i
      className={classNames(
        'absolute inset-x-0 bottom-0 block transition-[height,background-color] duration-300',
        FILLS[state],
      )}
    />
  );
}

/** The shares of a group: what is released, confirmed, acknowledged, only on a device, from the bottom up. */
export function GroupFill({ chunks }: { chunks: readonly TapeChunk[] }) {
  const counts = stateCounts(chunks);
  const share = (...states: CellState[]) =>
    (states.reduce((sum, state) => sum + (counts[state] ?? 0), 0) / chunks.length) * 100;
  const layers: [string, number][] = [
    ['bg-safe/25', share('released')],
    ['bg-safe', share('confirmed')],
    ['bg-safe/55', share('acked')],
    ['bg-hold', share('in_bucket', 'uploading', 'on_disk')],
    ['bg-alert/45', share('resending', 'missing', 'lost')],
  ];
  return (
    <span className="absolute inset-0 flex flex-col-reverse">
      {layers.map(([look, height]) =>
        height > 0 ? <i key={look} className={look} style={{ height: `${height}%` }} /> : null,
      )}
    </span>
  );
}

/** The colour of a state as a word's ink. */
export function stateInk(state: CellState): string {
  return { safe: 'text-safe-ink', hold: 'text-hold-ink', alert: 'text-alert-ink' }[meaningOf(state)];
}
