import { Download as Icon } from 'lucide-react';
import { useDownloads, useParts } from '../parts';
import { Button } from '../ui/button';
import { Link } from '../ui/link';
import { downloadOf, isBusy } from './downloads';
import { isUnderWay } from './listing';

/** Has a file made of a recording; shows how far it is meanwhile, and saves it when it is there. */
export function DownloadButton({ id, className }: { id: string; className?: string }) {
  const { downloads } = useParts();
  const state = useDownloads();
  const download = downloadOf(state, id);
  const ask = state.asks.get(id);
  if (download && isUnderWay(download))
    return (
      <Button asChild size="small" className={className}>
        <Link href="/downloads" data-testid="download" data-state={download.state}>
          <Icon aria-hidden="true" className="size-4" />
          {download.state === 'running' ? `Being made: ${download.percent} %` : 'Waits to be made'}
        </Link>
      </Button>
    );
  const ready = download?.state === 'ready' && !ask;
  const saving = ready && state.acts.get(download.id)?.doing === 'saving';
  return (
    <Button
      size="small"
      data-testid="download"
      data-state={ready ? 'ready' : isBusy(ask) ? ask?.phase : 'none'}
      // Not `disabled`: that would throw away the focus of whoever pressed it.
      aria-disabled={isBusy(ask) || saving || undefined}
      className={className}
      onClick={() => void (ready ? downloads.save(download.id) : downloads.want(id))}
    >
      <Icon aria-hidden="true" className="size-4" />
      {ready ? 'Save file' : isBusy(ask) ? 'Looking…' : 'Download'}
    </Button>
  );
}
