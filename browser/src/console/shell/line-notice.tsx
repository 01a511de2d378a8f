import { useParts, useSnapshot } from '../parts';
import { bucketProblem } from '../problem-words';
import { useLasting, useNow } from '../ticking';
import { Button } from '../ui/button';
import { Note } from '../ui/note';
import { lineWords } from './line-words';

/** A try that fails and succeeds within this time is not worth a word. */
const RETRY_NOTICE_MS = 2_500;

/** The line does not carry: what is kept here, when it is tried again, and whose business it is. */
export function LineNotice() {
  const { safereel } = useParts();
  const snapshot = useSnapshot();
  const { connection, retryAt } = snapshot;
  const lasting = useLasting(connection === 'retrying', RETRY_NOTICE_MS);
  if (connection !== 'offline' && !lasting && !bucketProblem(snapshot)) return null;
  const { tone, heading, rest, code } = lineWords(snapshot, location.origin);
  return (
    <Note
      tone={tone}
      role="status"
      data-testid="offline-banner"
      data-connection={connection}
      heading={heading}
      code={code}
      actions={
        <>
          <NextTry at={retryAt} />
          <Button size="small" data-testid="retry-now" onClick={() => safereel.retryNow()}>
            Try now
          </Button>
        </>
      }
    >
      {rest}
    </Note>
  );
}

/** Counts down without being read out every second. */
function NextTry({ at }: { at: number | null }) {
  const now = useNow(1000, at !== null);
  if (at === null) return <span className="text-[13px]">Sent when the line is back</span>;
  const seconds = Math.ceil((at - now) / 1000);
  return (
    <span aria-live="off" className="text-[13px]">
      {seconds > 0 ? `next try in ${seconds} s` : 'trying'}
    </span>
  );
}
