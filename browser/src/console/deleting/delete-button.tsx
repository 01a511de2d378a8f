import { Trash2, Undo2 } from 'lucide-react';
import { useState } from 'react';
import { useDeletions, useParts } from '../parts';
import { Button } from '../ui/button';
import { DeleteDialog, useIsRecordedHere } from './delete-dialog';
import type { Doomed } from './delete-words';
import type { Wish } from './deletions';

/** Asks, then deletes with time to undo: the same button takes it back meanwhile, so that focus stays where it is. */
export function DeleteButton({ doomed, className }: { doomed: Omit<Doomed, 'recordedHere'>; className?: string }) {
  const { deletions } = useParts();
  const wish = useDeletions().find(({ id }) => id === doomed.id);
  const recordedHere = useIsRecordedHere(doomed.id);
  const [asking, setAsking] = useState(false);
  const undoable = wish?.phase === 'undoable';
  const settled = isSettled(wish);
  const Icon = undoable ? Undo2 : Trash2;
  return (
    <>
      <Button
        look={undoable ? 'plain' : 'quiet'}
        size="small"
        data-testid={undoable ? 'undo' : 'delete'}
        data-id={doomed.id}
        // Not `disabled`: that would throw away the focus of whoever pressed it.
        aria-disabled={settled || undefined}
        className={className}
        onClick={() => {
          if (undoable) deletions.undo(doomed.id);
          else if (!settled) setAsking(true);
        }}
      >
        <Icon aria-hidden="true" className="size-4" />
        {undoable ? 'Undo the deletion' : recordedHere ? 'Stop and delete' : 'Delete'}
      </Button>
      {asking ? <DeleteDialog doomed={doomed} onClose={() => setAsking(false)} /> : null}
    </>
  );
}

interface RowDeleteProps {
  id: string;
  title: string;
  wish: Wish | undefined;
  /** The server has agreed already. */
  deleting: boolean;
  onAsk: (id: string) => void;
  onUndo: (id: string) => void;
  className?: string;
}

/** The same in a row of a list, whose page asks: thousands of rows need no dialog each. */
export function RowDelete({ id, title, wish, deleting, onAsk, onUndo, className }: RowDeleteProps) {
  const undoable = wish?.phase === 'undoable';
  const settled = deleting || isSettled(wish);
  const Icon = undoable ? Undo2 : Trash2;
  return (
    <Button
      look={undoable ? 'plain' : 'quiet'}
      size="icon"
      data-testid={undoable ? 'undo' : 'delete'}
      data-id={id}
      aria-label={undoable ? `Undo the deletion of ${title}` : `Delete ${title}`}
      title={undoable ? 'Undo' : 'Delete'}
      aria-disabled={settled || undefined}
      className={className}
      onClick={() => {
        if (undoable) onUndo(id);
        else if (!settled) onAsk(id);
      }}
    >
      <Icon aria-hidden="true" className="size-4" />
    </Button>
  );
}

function isSettled(wish: Wish | undefined): boolean {
  return wish?.phase === 'sending' || wish?.phase === 'agreed';
}
