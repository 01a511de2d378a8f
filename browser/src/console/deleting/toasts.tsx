import { CircleAlert, CircleCheck, Trash2 } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useDeletions, useParts } from '../parts';
import { useNow } from '../ticking';
import { Button } from '../ui/button';
import { classNames } from '../ui/class-names';
import { UNDO_MS, type Wish } from './deletions';

/** As many are shown at once; the rows of the library tell the rest. */
const SHOWN = 3;

/** What is being deleted, with the button that takes it back, at the foot of every page. */
export function Toasts() {
  const wishes = useDeletions().slice(-SHOWN);
  return (
    <>
      <Spoken wishes={wishes} />
      <section
        aria-label="Deletions"
        className={classNames('flex w-full flex-col items-center gap-2', wishes.length === 0 && 'hidden')}
      >
        {wishes.map((wish) => (
          <Toast key={wish.id} wish={wish} />
        ))}
      </section>
    </>
  );
}

function Toast({ wish }: { wish: Wish }) {
  const { deletions } = useParts();
  const { id, title, phase, dueAt } = wish;
  return (
    <div
      data-testid="toast"
      data-id={id}
      data-phase={phase}
      className="pointer-events-auto relative w-full max-w-[520px] animate-appear overflow-hidden rounded-xl bg-panel shadow-float"
    >
      <div className={classNames('flex items-center gap-x-3 gap-y-2.5 px-4 py-3', phase === 'failed' && 'flex-wrap')}>
        <Mark phase={phase} />
        <div className="min-w-0 flex-1">
          <p className="flex font-medium">
            <span className="truncate">“{title}”</span>
          </p>
          <p className="text-[13.5px] text-soft">{phase === 'undoable' ? <CountDown to={dueAt} /> : saidOf(wish)}</p>
        </div>
        <div className={classNames('flex gap-2', phase === 'failed' && 'w-full justify-end')}>
          {phase === 'undoable' ? (
            <Button size="small" data-testid="toast-undo" onClick={() => deletions.undo(id)}>
              Undo
            </Button>
          ) : null}
          {phase === 'failed' ? (
            <>
              <Button size="small" look="quiet" data-testid="toast-keep" onClick={() => deletions.keep(id)}>
                Keep it
              </Button>
              <Button size="small" data-testid="toast-again" onClick={() => deletions.again(id)}>
                Try again
              </Button>
            </>
          ) : null}
        </div>
      </div>
      {phase === 'undoable' ? <Fuse to={dueAt} /> : null}
    </div>
  );
}

function Mark({ phase }: { phase: Wish['phase'] }) {
  if (phase === 'failed') return <CircleAlert aria-hidden="true" className="size-[18px] shrink-0 text-alert-ink" />;
  if (phase === 'agreed') return <CircleCheck aria-hidden="true" className="size-[18px] shrink-0 text-soft" />;
  return <Trash2 aria-hidden="true" className="size-[18px] shrink-0 text-soft" />;
}

function CountDown({ to }: { to: number }) {
  const seconds = Math.max(1, Math.ceil((to - useNow(250)) / 1000));
  return <>Is deleted in {seconds} s, or when you leave this page</>;
}

/** The time that is left, as a line that shortens; at rest under reduced motion. */
function Fuse({ to }: { to: number }) {
  const share = Math.max(0, Math.min(1, (to - useNow(250)) / UNDO_MS));
  return (
    <i
      aria-hidden="true"
      className="absolute bottom-0 left-0 h-[3px] bg-rec transition-[width] duration-250 ease-linear"
      style={{ width: `${share * 100}%` }}
    />
  );
}

function saidOf({ phase, problem }: Wish): string {
  if (phase === 'sending') return 'Deleting…';
  if (phase === 'agreed') return 'Deleted. Your bucket is being cleared of it.';
  return problem?.detail ?? 'It was not deleted. Nothing was removed.';
}

/** Read out once for each change; the seconds are not. */
function Spoken({ wishes }: { wishes: readonly Wish[] }) {
  const last = wishes.at(-1);
  const occasion = last ? `${last.id} ${last.phase}` : '';
  const [said, setSaid] = useState('');
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new occasion alone is news.
  useEffect(() => {
    if (last) setSaid(spokenOf(last));
  }, [occasion]);
  return (
    <p role="status" className="sr-only">
      {said}
    </p>
  );
}

function spokenOf(wish: Wish): string {
  if (wish.phase === 'undoable')
    return `“${wish.title}” is deleted in ${UNDO_MS / 1000} seconds. Press Undo to keep it.`;
  return `“${wish.title}”: ${saidOf(wish)}`;
}
