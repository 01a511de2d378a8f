import { useEffect, useRef } from 'react';
import { SelectField, TextField } from '../ui/field';
import { ORDERS, type Order, type Wanted } from './finding';

const NAMES: Record<Order, string> = {
  newest: 'Newest first',
  oldest: 'Oldest first',
  longest: 'Longest first',
  largest: 'Largest first',
  title: 'By title',
};

interface FindBarProps {
  wanted: Wanted;
  onChange: (wanted: Wanted) => void;
  /** What was found, in a sentence; empty where nothing is looked for. */
  told: string;
}

/** Looks for recordings by title and state, and orders them; the key / leads to it. */
export function FindBar({ wanted, onChange, told }: FindBarProps) {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    function onKeyDown(event: KeyboardEvent) {
      if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      if (document.querySelector('dialog[open], [role=alertdialog]')) return;
      event.preventDefault();
      field.current?.focus();
    }
    addEventListener('keydown', onKeyDown);
    return () => removeEventListener('keydown', onKeyDown);
  }, []);
  return (
    // biome-ignore lint/a11y/useSemanticElements: <search> is not known to the browsers of two years ago.
    <div role="search" aria-label="Recordings" className="mt-4 flex flex-wrap items-end gap-x-3 gap-y-2">
      <TextField
        ref={field}
        data-testid="find"
        type="search"
        label="Find"
        placeholder="A title, or a state"
        className="min-w-[min(100%,220px)] max-w-[420px] flex-1"
        value={wanted.words}
        onChange={(event) => onChange({ ...wanted, words: event.target.value })}
        onKeyDown={(event) => event.key === 'Escape' && onChange({ ...wanted, words: '' })}
      />
      <SelectField
        data-testid="order"
        label="Order"
        className="w-[164px]"
        value={wanted.order}
        onChange={(event) => onChange({ ...wanted, order: event.target.value as Order })}
      >
        {ORDERS.map((order) => (
          <option key={order} value={order}>
            {NAMES[order]}
          </option>
        ))}
      </SelectField>
      <p role="status" data-testid="found" className="py-2 text-[13.5px] text-soft tabular-nums">
        {told}
      </p>
    </div>
  );
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest('input, textarea, select, [contenteditable]') !== null;
}
