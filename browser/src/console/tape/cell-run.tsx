import { type KeyboardEvent, type MouseEvent, useRef, useState } from 'react';
import type { TapeCell } from '../tape-cells';
import { Cell } from './cell';

interface CellRunProps {
  cells: readonly TapeCell[];
  label: string;
  /** First seq of the cell that is open. */
  openSeq: number | null;
  onOpen: (cell: TapeCell, button: HTMLElement) => void;
}

/** Cells in a row, one of them in the tab order; arrow keys, Home and End move among them. */
export function CellRun({ cells, label, openSeq, onOpen }: CellRunProps) {
  const run = useRef<HTMLDivElement>(null);
  const [chosen, setChosen] = useState<number | null>(null);
  const holds = (cell: TapeCell, seq: number) => cell.first <= seq && seq <= cell.last;
  const reachable = (chosen !== null && cells.find((cell) => holds(cell, chosen))) || cells.at(-1);

  function onKeyDown(event: KeyboardEvent) {
    const buttons = [...(run.current?.querySelectorAll('button') ?? [])];
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    const to = buttons[targetOf(event.key, at, buttons)];
    if (at < 0 || !to) return;
    event.preventDefault();
    setChosen(Number(to.dataset.seq));
    to.focus();
  }

  function onClick(event: MouseEvent) {
    const button = (event.target as Element).closest('button');
    const cell = button && cells.find(({ first }) => first === Number(button.dataset.seq));
    if (!button || !cell) return;
    setChosen(cell.first);
    onOpen(cell, button);
  }

  return (
    <div
      ref={run}
      role="toolbar"
      aria-label={label}
      className="flex flex-wrap gap-1"
      onKeyDown={onKeyDown}
      onClick={onClick}
    >
      {cells.map((cell) => (
        <Cell key={cell.first} cell={cell} reachable={cell === reachable} open={cell.first === openSeq} />
      ))}
    </div>
  );
}

function targetOf(key: string, at: number, buttons: readonly HTMLElement[]): number {
  if (key === 'ArrowRight') return Math.min(at + 1, buttons.length - 1);
  if (key === 'ArrowLeft') return Math.max(at - 1, 0);
  if (key === 'Home') return 0;
  if (key === 'End') return buttons.length - 1;
  const perRow = buttons.filter(({ offsetTop }) => offsetTop === buttons[0]?.offsetTop).length;
  if (key === 'ArrowDown') return Math.min(at + perRow, buttons.length - 1);
  if (key === 'ArrowUp') return Math.max(at - perRow, 0);
  return -1;
}
