import { Download as Icon } from 'lucide-react';
import { useEffect } from 'react';
import { useDownloads, useParts, useStudio } from '../parts';
import { problemWords } from '../problem-words';
import { Main } from '../shell/main';
import { Notices } from '../shell/notices';
import { useLasting, useNow } from '../ticking';
import { Button } from '../ui/button';
import { Link } from '../ui/link';
import { Note } from '../ui/note';
import { Skeleton } from '../ui/skeleton';
import { DownloadRow } from './download-row';
import type { LineState } from './news-line';

/** A line that is back within this time was not worth a word. */
const WORTH_MS = 3_000;

/** All downloads, newest first, as they go. */
export function DownloadsPage() {
  const { downloads: parts } = useParts();
  const { recordingId } = useStudio();
  const { downloads, cursor, status, problem, line } = useDownloads();
  const now = useNow(30_000);
  useEffect(() => parts.watch(), [parts]);
  useEffect(() => {
    document.title = 'Downloads · Safereel';
  }, []);
  const first = downloads.length === 0 && (status === 'loading' || status === 'unread');
  return (
    <Main>
      <div className="flex min-h-10 items-center">
        <h1 className="font-semibold text-[22px] tracking-[-0.01em]">Downloads</h1>
      </div>
      <p className="max-w-[70ch] text-pretty text-soft">
        Files are made on the server: this page may be closed meanwhile. One that came to an end is told of for a week.
      </p>
      <Notices current={recordingId} />
      <LineNote line={line} listed={downloads.length > 0} />
      {status === 'failed' && problem && problem.code !== 'token_unavailable' ? (
        <Note
          tone="alert"
          role="alert"
          className="mt-4"
          heading="The list of downloads could not be read"
          code={problem.code}
          actions={
            <Button size="small" onClick={() => void (cursor === null ? parts.renew() : parts.more())}>
              Try again
            </Button>
          }
        >
          {problemWords(problem).heading}: {problem.detail} Downloads go on all the same.
        </Note>
      ) : null}
      {downloads.length > 0 || first ? (
        <ul
          aria-label="Downloads"
          aria-busy={first}
          className="mt-4 overflow-hidden rounded-[14px] border border-line bg-panel shadow-shade"
        >
          {downloads.map((download) => (
            <DownloadRow key={download.id} download={download} now={now} />
          ))}
          {first ? <Shapes /> : null}
        </ul>
      ) : null}
      {downloads.length === 0 && status === 'ready' ? <Empty /> : null}
      {cursor !== null ? (
        <div className="mt-4 flex justify-center">
          <Button aria-disabled={status === 'loading' || undefined} onClick={() => void parts.more()}>
            {status === 'loading' ? 'Reading more' : 'Show more'}
          </Button>
        </div>
      ) : null}
    </Main>
  );
}

/** What is shown may be old, or comes in steps: said once that lasts. */
function LineNote({ line, listed }: { line: LineState; listed: boolean }) {
  const { downloads } = useParts();
  const lost = useLasting(line === 'lost', WORTH_MS);
  return (
    <div data-testid="downloads-line" data-line={line}>
      {lost && listed ? (
        <Note
          tone="hold"
          role="status"
          className="mt-4"
          heading="The server does not answer"
          actions={
            <Button size="small" onClick={() => downloads.retryNow()}>
              Ask now
            </Button>
          }
        >
          What is shown is what was known last. Downloads go on without this page; it is asked again by itself.
        </Note>
      ) : null}
      {line === 'polling' ? (
        <p role="status" className="mt-3 text-[13.5px] text-soft">
          Something between here and the server holds news back: progress comes in steps of a second or two.
        </p>
      ) : null}
    </div>
  );
}

function Shapes() {
  return ['w-1/2', 'w-2/3', 'w-2/5'].map((width) => (
    <li key={width} className="border-line border-b px-4 py-4 last:border-b-0">
      <Skeleton className={`h-4 ${width} max-w-[320px]`} />
      <Skeleton className="mt-2.5 h-3 w-40" />
    </li>
  ));
}

function Empty() {
  return (
    <div className="mt-4 flex flex-col items-center rounded-[14px] border border-faint border-dashed px-6 py-14 text-center">
      <Icon aria-hidden="true" className="mb-3 size-9 text-safe" strokeWidth={1.5} />
      <h2 className="font-semibold text-[17px]">No downloads yet</h2>
      <p className="mt-1 mb-5 max-w-[46ch] text-pretty text-soft">
        Open a recording and press “Download”, or select several in the list to have them in one ZIP. How far each is
        stands here.
      </p>
      <Button asChild look="main">
        <Link href="/recordings">To the recordings</Link>
      </Button>
    </div>
  );
}
