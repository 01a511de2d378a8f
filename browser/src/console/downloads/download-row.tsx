import { moment } from '../format';
import { titleOf } from '../library-rows';
import { useDownloads } from '../parts';
import { Link } from '../ui/link';
import { Pill } from '../ui/pill';
import { ActTold, DownloadActions } from './download-actions';
import type { Download } from './download-calls';
import { detailOf, nameOf, shortfallWords, stateOf } from './download-words';
import { successorOf } from './listing';
import { ProgressBar } from './progress-bar';

/** As many are named when several are unfolded; a thousand can be packed. */
const NAMED = 50;

/** One download: of what, how far, and what can be done. */
export function DownloadRow({ download, now }: { download: Download; now: number }) {
  const { downloads, paces } = useDownloads();
  const { id, state, percent, recordings } = download;
  const { tone, words } = stateOf(download);
  const detail = detailOf(download, paces.get(id) ?? null, now);
  const shortfall = shortfallWords(download);
  const over = state === 'cancelled' || state === 'expired' || state === 'failed';
  const successor = over ? successorOf(downloads, download) : undefined;
  return (
    <li
      data-testid="download-row"
      data-id={id}
      data-state={state}
      data-percent={percent}
      className="border-line border-b px-4 py-3.5 last:border-b-0"
    >
      <div className="flex flex-wrap items-start gap-x-5 gap-y-2">
        <div className="min-w-0 flex-1 basis-[260px]">
          <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
            <Name download={download} />
            <Pill tone={tone}>{words}</Pill>
          </div>
          {state === 'running' ? (
            <ProgressBar
              percent={percent}
              label={`Progress of ${nameOf(download)}`}
              words={detail}
              className="mt-2.5 max-w-[520px]"
            />
          ) : null}
          <p className="wrap-anywhere mt-1.5 text-pretty text-[13.5px] text-soft">
            {successor ? 'It was asked for again since.' : detail}
          </p>
          {download.file && state === 'ready' ? (
            <p className="wrap-anywhere text-[13.5px] text-soft">{download.file.name}</p>
          ) : null}
          {shortfall ? <p className="mt-1 text-pretty text-[13.5px] text-hold-ink">{shortfall}</p> : null}
          {recordings.length > 1 ? <Packed recordings={recordings} /> : null}
          <ActTold id={id} />
        </div>
        <div className="flex items-center gap-2 max-sm:w-full sm:ml-auto">
          <DownloadActions download={download} />
          <time
            dateTime={download.created_at}
            title="Asked for"
            className="whitespace-nowrap text-[13px] text-soft max-sm:ml-auto sm:order-first sm:pr-1"
          >
            {moment(Date.parse(download.created_at), now)}
          </time>
        </div>
      </div>
    </li>
  );
}

function Name({ download }: { download: Download }) {
  const [first] = download.recordings;
  if (download.recordings.length !== 1 || !first)
    return <span className="min-w-0 truncate font-medium">{nameOf(download)}</span>;
  return (
    <Link href={`/recordings/${first.id}`} className="min-w-0 truncate font-medium underline-offset-2 hover:underline">
      {nameOf(download)}
    </Link>
  );
}

function Packed({ recordings }: Pick<Download, 'recordings'>) {
  return (
    <details className="mt-1.5 text-[13.5px]">
      <summary className="w-fit rounded text-soft hover:text-ink">Which ones</summary>
      <ul className="mt-1 grid gap-0.5 border-line border-l-2 pl-3">
        {recordings.slice(0, NAMED).map((one) => (
          <li key={one.id} className="min-w-0 truncate">
            <Link href={`/recordings/${one.id}`} className="underline-offset-2 hover:underline">
              {titleOf(one)}
            </Link>
          </li>
        ))}
        {recordings.length > NAMED ? <li className="text-soft">and {recordings.length - NAMED} more</li> : null}
      </ul>
    </details>
  );
}
