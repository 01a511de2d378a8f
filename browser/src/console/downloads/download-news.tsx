import { CircleAlert, CircleCheck, X } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { useDownloads, useParts } from '../parts';
import { usePath } from '../route';
import { Button } from '../ui/button';
import { Link } from '../ui/link';
import type { Download } from './download-calls';
import { failedWords, nameOf, spokenOf } from './download-words';
import { known } from './listing';

/** As many are shown at once; the page of downloads tells the rest. */
const SHOWN = 3;

/** Downloads that came to an end while one was elsewhere in the page; it stays until it was seen. Quarters are only read out. */
export function DownloadNews() {
  const { downloads } = useParts();
  const { downloads: all, news } = useDownloads();
  const path = usePath();
  const ended = news.map((id) => known(all, id)).filter((one) => one !== undefined);
  const elsewhere = ended.filter((download) => !isShownOn(path, download));
  const here = ended.filter((download) => isShownOn(path, download)).map(({ id }) => id);
  const seenHere = here.join(' ');
  useEffect(() => {
    for (const id of seenHere.split(' ').filter(Boolean)) downloads.seen(id);
  }, [downloads, seenHere]);
  return (
    <>
      <Spoken downloads={all} />
      <section
        aria-label="Downloads that ended"
        className={elsewhere.length === 0 ? 'hidden' : 'flex w-full flex-col items-center gap-2'}
      >
        {elsewhere.slice(-SHOWN).map((download) => (
          <Toast key={download.id} download={download} />
        ))}
      </section>
    </>
  );
}

function Toast({ download }: { download: Download }) {
  const { downloads } = useParts();
  const { id, state } = download;
  const ready = state === 'ready';
  const Icon = ready ? CircleCheck : CircleAlert;
  return (
    <div
      data-testid="download-toast"
      data-id={id}
      className="pointer-events-auto w-full max-w-[520px] animate-appear rounded-xl bg-panel shadow-float"
    >
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2.5 px-4 py-3">
        <Icon aria-hidden="true" className={`size-[18px] shrink-0 ${ready ? 'text-safe-ink' : 'text-alert-ink'}`} />
        <div className="min-w-0 flex-1 basis-[160px]">
          <p className="truncate font-medium">{nameOf(download)}</p>
          <p className="text-[13.5px] text-soft">{ready ? 'The file is ready.' : failedWords(download.problem)}</p>
        </div>
        <div className="flex items-center gap-2">
          {ready ? (
            <Button size="small" onClick={() => void downloads.save(id)}>
              Save file
            </Button>
          ) : null}
          <Button asChild size="small" look="quiet">
            <Link href="/downloads">See downloads</Link>
          </Button>
          <Button size="icon" look="quiet" aria-label={`Close: ${nameOf(download)}`} onClick={() => downloads.seen(id)}>
            <X aria-hidden="true" className="size-4" />
          </Button>
        </div>
      </div>
    </div>
  );
}

/** Read out sparingly: each quarter, and the end. */
function Spoken({ downloads }: { downloads: readonly Download[] }) {
  const before = useRef(downloads);
  const [said, setSaid] = useState('');
  useEffect(() => {
    const words = downloads.map((one) => spokenOf(known(before.current, one.id), one)).filter(Boolean);
    before.current = downloads;
    if (words.length > 0) setSaid(words.slice(0, SHOWN).join(' '));
  }, [downloads]);
  return (
    <p role="status" className="sr-only">
      {said}
    </p>
  );
}

function isShownOn(path: string, { recordings }: Download): boolean {
  return path === '/downloads' || (recordings.length === 1 && path === `/recordings/${recordings[0]?.id}`);
}
