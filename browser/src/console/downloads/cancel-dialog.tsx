import { useParts } from '../parts';
import { AlertDialog } from '../ui/alert-dialog';
import type { Download } from './download-calls';
import { nameOf } from './download-words';

/** Asks before what was made of a file is thrown away. */
export function CancelDialog({ download, onClose }: { download: Download; onClose: () => void }) {
  const { downloads } = useParts();
  return (
    <AlertDialog
      title={`Cancel the download of “${nameOf(download)}”?`}
      act="Cancel download"
      onAct={() => void downloads.cancel(download.id)}
      cancel="Go on with it"
      onClose={onClose}
    >
      <p>
        What was made of the file so far ({download.percent} %) is removed.{' '}
        {download.recordings.length > 1 ? 'The recordings are' : 'The recording is'} not touched, and the file can be
        asked for again at any time.
      </p>
    </AlertDialog>
  );
}
