import { useState } from 'react';
import { useDownloads, useParts } from '../parts';
import { problemWords } from '../problem-words';
import { Button } from '../ui/button';
import { CancelDialog } from './cancel-dialog';
import type { Download } from './download-calls';
import { nameOf } from './download-words';
import { isUnderWay, successorOf } from './listing';

/** What can be done about a download in its state, and what came of that. */
export function DownloadActions({ download }: { download: Download }) {
  const { downloads: parts } = useParts();
  const { downloads, acts } = useDownloads();
  const [asking, setAsking] = useState(false);
  const { id, state, problem } = download;
  const act = acts.get(id);
  const busy = act?.doing != null || undefined;
  const name = nameOf(download);
  const ended = state === 'failed' || state === 'cancelled' || state === 'expired';
  const again = ended && !successorOf(downloads, download);
  return (
    <>
      {state === 'ready' ? (
        <Button
          size="small"
          data-testid="download-save"
          aria-disabled={busy}
          aria-label={`Save file: ${name}`}
          onClick={() => void parts.save(id)}
        >
          {act?.doing === 'saving' ? 'Asking the bucket…' : 'Save file'}
        </Button>
      ) : null}
      {again ? (
        <Button
          size="small"
          data-testid="download-again"
          aria-disabled={busy}
          aria-label={`${state === 'failed' ? 'Try again' : 'Make again'}: ${name}`}
          onClick={() => void parts.again(id)}
        >
          {state === 'failed' ? 'Try again' : 'Make again'}
        </Button>
      ) : null}
      {again && state === 'failed' && problem?.code === 'chunks_missing' ? (
        <Button
          size="small"
          look="quiet"
          aria-disabled={busy}
          aria-label={`Take what there is: ${name}`}
          onClick={() => void parts.again(id, true)}
        >
          Take what there is
        </Button>
      ) : null}
      {isUnderWay(download) ? (
        <Button
          size="small"
          look="quiet"
          data-testid="download-cancel"
          className="max-sm:-ml-3"
          aria-disabled={busy}
          aria-label={`Cancel: ${name}`}
          onClick={() => setAsking(true)}
        >
          {act?.doing === 'cancelling' ? 'Cancelling…' : 'Cancel'}
        </Button>
      ) : null}
      {asking && isUnderWay(download) ? <CancelDialog download={download} onClose={() => setAsking(false)} /> : null}
    </>
  );
}

/** What came of the last button, in a sentence; it stays until the next. */
export function ActTold({ id }: { id: string }) {
  const act = useDownloads().acts.get(id);
  return (
    <p role="status" className="text-pretty text-[13.5px] text-soft empty:hidden">
      {act?.problem ? (
        <span className="text-alert-ink">
          {problemWords(act.problem).heading}: {act.problem.detail}
        </span>
      ) : act?.saved ? (
        'Handed to the downloads of your browser, which goes on with it by itself, and after a break.'
      ) : null}
    </p>
  );
}
