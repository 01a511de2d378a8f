import { useDownloads, useParts } from '../parts';
import { useNow } from '../ticking';
import { Button } from '../ui/button';
import { Note } from '../ui/note';
import { ActTold, DownloadActions } from './download-actions';
import type { Download } from './download-calls';
import { askWords, detailOf, shortfallWords, stateOf } from './download-words';
import { downloadOf } from './downloads';
import { isUnderWay } from './listing';
import { ProgressBar } from './progress-bar';

/** On a recording's page: the download of it that is under way or ready, or why there is none. Nothing where nobody asked. */
export function DownloadPanel({ id }: { id: string }) {
  const state = useDownloads();
  const download = downloadOf(state, id);
  const shown = download && (isUnderWay(download) || download.state === 'ready' || download.state === 'failed');
  return (
    <>
      <Refused id={id} />
      {shown ? <OfThis download={download} pace={state.paces.get(download.id) ?? null} /> : null}
    </>
  );
}

function OfThis({ download, pace }: { download: Download; pace: number | null }) {
  const { downloads } = useParts();
  const now = useNow(30_000);
  const { tone, words } = stateOf(download);
  const detail = detailOf(download, pace, now);
  const shortfall = shortfallWords(download);
  const [recording] = download.recordings;
  return (
    <Note
      tone={download.state === 'running' ? 'plain' : tone}
      data-testid="download-panel"
      data-id={download.id}
      data-state={download.state}
      heading={
        download.state === 'ready'
          ? 'The file is ready'
          : download.state === 'failed'
            ? 'The file could not be made'
            : `A file of it: ${words.toLowerCase()}`
      }
      className="mt-3"
      actions={<DownloadActions download={download} />}
    >
      {download.state === 'running' ? (
        <ProgressBar
          percent={download.percent}
          label="Progress of the file"
          words={detail}
          className="my-2 max-w-[520px]"
        />
      ) : null}
      <p>{download.file && download.state === 'ready' ? `${download.file.name}, ${detail}` : detail}</p>
      {shortfall ? (
        <p>
          {shortfall}{' '}
          {download.state === 'ready' && download.gaps.length > 0 && recording ? (
            <button
              type="button"
              className="underline underline-offset-2"
              onClick={() => void downloads.want(recording.id)}
            >
              Look whether all of it can be had now
            </button>
          ) : null}
        </p>
      ) : null}
      <ActTold id={download.id} />
    </Note>
  );
}

function Refused({ id }: { id: string }) {
  const { downloads } = useParts();
  const ask = useDownloads().asks.get(id);
  if (ask?.phase !== 'refused') return null;
  const { heading, rest } = askWords(ask.problem, ask.there);
  const offers =
    ask.there !== null &&
    ask.there.chunks > 0 &&
    ['recording_incomplete', 'chunks_missing'].includes(ask.problem?.code ?? '');
  return (
    <Note
      tone="hold"
      role="status"
      data-testid="download-refused"
      heading={heading}
      code={offers ? undefined : ask.problem?.code}
      className="mt-3"
      actions={
        <>
          {offers ? (
            <Button size="small" data-testid="download-gaps" onClick={() => void downloads.wantWhatThereIs(id)}>
              Download what there is
            </Button>
          ) : null}
          <Button size="small" look="quiet" onClick={() => downloads.dropAsk(id)}>
            {offers ? 'Not now' : 'Close'}
          </Button>
        </>
      }
    >
      {rest}
    </Note>
  );
}
