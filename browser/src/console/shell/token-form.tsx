import { type FormEvent, useId } from 'react';
import { subjectOf } from '../../recorder/token';
import { useParts } from '../parts';
import { Button } from '../ui/button';

/** Takes a token for this tab. A recorder that had no owner yet, or another, needs the page anew: it is loaded again then. */
export function TokenForm() {
  const { session, safereel, studio } = useParts();
  const id = useId();
  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const token = String(new FormData(event.currentTarget).get('token') ?? '').trim();
    if (!token) return;
    session.paste(token);
    const { ready, owner } = safereel.snapshot();
    const idle = studio.state.get().phase === 'idle';
    const isOther = ready && idle && (subjectOf(token) ?? owner) !== owner;
    if (ready && !isOther) safereel.retryNow();
    else location.reload();
  }
  return (
    <form onSubmit={submit} className="mt-2.5 flex flex-wrap items-end gap-2">
      <div className="min-w-[180px] flex-1">
        <label htmlFor={id} className="mb-1 block font-medium text-[13px]">
          Token
        </label>
        <input
          id={id}
          name="token"
          type="password"
          autoComplete="off"
          spellCheck={false}
          className="h-10 w-full rounded-[10px] border border-faint bg-panel px-3 font-mono text-[13px]"
        />
      </div>
      <Button type="submit" look="main">
        Sign in
      </Button>
      <p className="basis-full text-[13px] text-soft">Kept in this tab only, until it is closed.</p>
    </form>
  );
}
