import { useEffect } from 'react';
import { DownloadsPage } from './downloads/downloads-page';
import { LibraryPage } from './library/library-page';
import { type Parts, PartsProvider, useSnapshot } from './parts';
import { RecordPage } from './record/record-page';
import { RecordingPage } from './recording/recording-page';
import { routeOf, usePath } from './route';
import { Shell } from './shell/shell';
import { UnknownPage } from './shell/unknown-page';

/**
 * The page of a Safereel: Record at `/`, the library at `/recordings`, one recording at `/recordings/{id}`, downloads at
 * `/downloads`.
 *
 * Tests may rely on these hooks: `<html data-ready="true">` once the recorder is ready; on the recorder's `<main>`
 * `data-recording-id` and `data-recording-state`; and by `data-testid`:
 *
 * - `source-camera`, `source-microphone`, `source-screen` (labels), `title-input`, `start`, `pause` (also goes on),
 *   `stop` (on every page while recording), `another` (after a stop: clears the table for the next);
 * - `promise` (the sentence), `only-here` (`data-count`: chunks only on this device, `data-recording-count`: of the
 *   recording in view);
 * - `tape` (`data-chunks`) with cells that have `data-seq`, `data-last-seq` (the same but for groups) and `data-state`;
 * - `recovered-notice` (`data-id`), `offline-banner` (`data-connection`), `retry-now`;
 * - `delete` and, while it can be taken back, `undo` (`data-id`), `dialog-act` and `dialog-cancel` in the dialog, `toast`
 *   (`data-id`, `data-phase`) with `toast-undo`, `toast-keep` and `toast-again`, `deleted-notice` (`data-id`), `being-deleted`
 *   (`data-count`);
 * - `quota` (`data-level`, `data-used`, `data-reserved`, `data-limit`), `over-quota` (`data-waiting`), `near-quota`;
 * - `upload`, `file-input`, `file-row` (`data-id`, `data-state`) with `file-pause`, `file-cancel`, `file-needed`, `file-reopen` and
 *   `file-again`; `file-looking`, `file-already` (`data-id`) with `file-anyway`, `file-refused`;
 * - `download` (`data-state`: `none`, `checking`, `beginning`, `queued`, `running` or `ready`), `download-panel` (`data-id`), `download-gaps`;
 *   `download-row` (`data-id`, `data-state`, `data-percent`) with `download-save`, `download-cancel`, `download-again`; `downloads-line`
 *   (`data-line`), `downloads-badge` (`data-count`), `download-toast` (`data-id`); in the library `select`, `select-row`, `select-all`,
 *   `download-selected` and `begin-selected`;
 * - `share` (opens the dialog; more in `sharing/share-dialog.tsx`, and of the page behind a link in `sharing/shared-page.tsx`);
 * - `sign-in` (`data-session`), `recordings-row` (`data-id`), `player` (the `<video>`), `player-state` (`data-state`).
 */
export function Console({ parts }: { parts: Parts }) {
  return (
    <PartsProvider parts={parts}>
      <ReadyMark />
      <Shell>
        <Page />
      </Shell>
    </PartsProvider>
  );
}

function Page() {
  const route = routeOf(usePath());
  if (route.page === 'record') return <RecordPage />;
  if (route.page === 'library') return <LibraryPage />;
  if (route.page === 'downloads') return <DownloadsPage />;
  return route.page === 'recording' ? <RecordingPage key={route.id} id={route.id} /> : <UnknownPage />;
}

function ReadyMark() {
  const { ready } = useSnapshot();
  useEffect(() => {
    document.documentElement.dataset.ready = String(ready);
  }, [ready]);
  return null;
}
