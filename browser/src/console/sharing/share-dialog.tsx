import { Check, Copy } from 'lucide-react';
import { useEffect, useId, useRef, useState } from 'react';
import type { Problem } from '../../recorder/types';
import { problemOfCall } from '../api-calls';
import type { StoredStatus } from '../bucket-view';
import { moment } from '../format';
import { useParts } from '../parts';
import { problemWords } from '../problem-words';
import { useNow } from '../ticking';
import { Button } from '../ui/button';
import { SelectField, TextField } from '../ui/field';
import { Note } from '../ui/note';
import { ENDS, endOf } from './ends';
import type { Share } from './sharing';

interface ShareDialogProps {
  status: StoredStatus;
  title: string;
  onClose: () => void;
}

type Link = Pick<Share, 'share_id' | 'shared' | 'expires_at'>;

/**
 * A recording's link: who can see what, until when, and how to take it back.
 *
 * Tests may rely on `share-link` (the field), `share-copy`, `share-until`, `share-revoke`, `share-revoke-act`, `share-again`.
 */
export function ShareDialog({ status, title, onClose }: ShareDialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  const { sharing } = useParts();
  const [link, setLink] = useState<Link>({ share_id: status.share_id, ...status.share });
  const [asking, setAsking] = useState(false);
  const [busy, setBusy] = useState(false);
  const [done, setDone] = useState('');
  const [problem, setProblem] = useState<Problem | null>(null);
  const first = useRef(true);
  useEffect(() => {
    if (dialog.current?.open === false) dialog.current.showModal();
  }, []);
  // What had the focus went with what it did: who uses keys goes on where the dialog goes on.
  // biome-ignore lint/correctness/useExhaustiveDependencies: it follows what is shown.
  useEffect(() => {
    if (!first.current) dialog.current?.querySelector<HTMLElement>('[data-next]')?.focus();
    first.current = false;
  }, [link.shared, asking]);

  async function decide(call: Promise<Share>, words: string) {
    setBusy(true);
    setProblem(null);
    setDone('');
    try {
      setLink(await call);
      setDone(words);
      setAsking(false);
    } catch (error) {
      setProblem(problemOfCall(error));
    } finally {
      setBusy(false);
    }
  }

  return (
    <dialog
      ref={dialog}
      aria-labelledby={`${id}title`}
      onClose={onClose}
      className="m-auto max-h-[calc(100dvh-32px)] w-[min(520px,calc(100vw-32px))] animate-appear overflow-y-auto overscroll-contain rounded-2xl bg-panel p-6 text-ink shadow-float backdrop:bg-[rgb(12_16_18/0.45)] max-sm:mb-4 max-sm:p-5"
    >
      <h2
        id={`${id}title`}
        className="wrap-anywhere text-balance font-semibold text-[18px] leading-snug tracking-[-0.01em]"
      >
        Share “{title}”
      </h2>
      {link.shared ? (
        <Shared
          link={link}
          complete={status.complete}
          busy={busy}
          asking={asking}
          onAsk={setAsking}
          onCopied={setDone}
          onUntil={(value) => void decide(sharing.share(status.id, endOf(value, Date.now())), 'Saved')}
          onRevoke={() => void decide(sharing.revoke(status.id), 'The link was revoked')}
        />
      ) : (
        <>
          <p className="mt-3 text-pretty text-[14px] text-soft">
            The link was revoked: it leads nowhere, and never will again. Only you can see this recording.
          </p>
          <Button
            className="mt-4"
            data-testid="share-again"
            data-next
            aria-disabled={busy || undefined}
            onClick={() => (busy ? undefined : void decide(sharing.share(status.id, null), 'There is a new link'))}
          >
            Share with a new link
          </Button>
        </>
      )}
      {problem ? (
        <Note tone="alert" role="alert" className="mt-4" heading={problemWords(problem).heading} code={problem.code}>
          {problem.detail} The link is as it was.
        </Note>
      ) : null}
      <div className="mt-6 flex items-center justify-between gap-3">
        <p role="status" className="text-[13px] text-soft">
          {done}
        </p>
        <Button data-testid="share-close" onClick={() => dialog.current?.close()}>
          Done
        </Button>
      </div>
    </dialog>
  );
}

interface SharedProps {
  link: Link;
  complete: boolean;
  busy: boolean;
  asking: boolean;
  onAsk: (asking: boolean) => void;
  onCopied: (words: string) => void;
  onUntil: (value: string) => void;
  onRevoke: () => void;
}

function Shared({ link, complete, busy, asking, onAsk, onCopied, onUntil, onRevoke }: SharedProps) {
  const now = useNow(30_000);
  const [copied, setCopied] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  const address = `${location.origin}/s/${link.share_id}`;
  const endsMs = link.expires_at === null ? null : Date.parse(link.expires_at);
  const over = endsMs !== null && endsMs <= now;
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 2_500);
    return () => clearTimeout(timer);
  }, [copied]);

  async function copy() {
    try {
      await navigator.clipboard.writeText(address);
      setCopied(true);
      onCopied('The link was copied');
    } catch {
      field.current?.select();
      onCopied('This page may not copy: the link is marked, copy it yourself');
    }
  }

  const Icon = copied ? Check : Copy;
  return (
    <>
      <p className="mt-3 text-pretty text-[14px] text-soft">
        {over
          ? 'The time of this link is over: nobody sees anything by it. Choose another time to have it work again.'
          : WHO}
        {complete || over ? '' : ' Until the recording is complete, they see only that it is being recorded.'}
      </p>
      <div className="mt-4 flex items-end gap-2.5 max-sm:flex-col max-sm:items-stretch">
        <TextField
          ref={field}
          label="Link"
          readOnly
          value={address}
          data-testid="share-link"
          className="flex-1"
          onFocus={(event) => event.currentTarget.select()}
        />
        <Button look="main" data-testid="share-copy" className="min-w-24" onClick={() => void copy()}>
          <Icon aria-hidden="true" className="size-4" />
          {copied ? 'Copied' : 'Copy'}
        </Button>
      </div>
      <SelectField
        label="It works"
        className="mt-4"
        data-testid="share-until"
        value={endsMs === null ? 'never' : 'now'}
        aria-busy={busy || undefined}
        onChange={(event) => (busy ? undefined : onUntil(event.target.value))}
      >
        {endsMs === null ? null : (
          <option value="now" disabled>
            {over ? 'Ended' : 'Until'} {moment(endsMs, now)}
          </option>
        )}
        {ENDS.map(({ value, words }) => (
          <option key={value} value={value}>
            {words}
          </option>
        ))}
      </SelectField>
      {asking ? (
        <fieldset className="mt-5 rounded-xl bg-alert-soft px-4 py-3">
          <legend className="float-left mb-0.5 w-full font-semibold">Revoke this link?</legend>
          <p className="clear-both text-pretty text-[14px]">
            Nobody can open it any more, for good; who watches right now is cut off within minutes. You can share again,
            with a new link.
          </p>
          <div className="mt-3 flex gap-2.5 max-sm:flex-col">
            <Button
              look="stop"
              size="small"
              data-testid="share-revoke-act"
              aria-disabled={busy || undefined}
              onClick={onRevoke}
            >
              Revoke the link
            </Button>
            <Button size="small" data-next onClick={() => onAsk(false)}>
              Keep it
            </Button>
          </div>
        </fieldset>
      ) : (
        <Button
          look="quiet"
          size="small"
          className="mt-4 -ml-3"
          data-testid="share-revoke"
          data-next
          onClick={() => onAsk(true)}
        >
          Revoke the link…
        </Button>
      )}
    </>
  );
}

const WHO =
  'Anybody who has this link can watch the recording, without an account. They see its title, when it was recorded, and the recording; nothing else of yours.';
