import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { createSafereel } from '../recorder';
import { ApiCalls } from './api-calls';
import { HttpBucketView } from './bucket-view';
import { ClockWatch } from './clock-watch';
import { Console } from './console';
import './console.css';
import { Deletions } from './deleting/deletions';
import { BrowserWishMemory } from './deleting/wish-memory';
import { HttpDownloadCalls } from './downloads/download-calls';
import { Downloads } from './downloads/downloads';
import { saveFile } from './downloads/save-file';
import { Uploads } from './files/uploads';
import { Happenings } from './happenings';
import { Glimpses } from './library/glimpses';
import type { Parts } from './parts';
import { QuotaWatch } from './quota/quota-watch';
import { sharedIn } from './route';
import { Session } from './session';
import { HttpShareView } from './sharing/share-view';
import { SharedPage } from './sharing/shared-page';
import { HttpSharing } from './sharing/sharing';
import { Studio } from './studio';

/** The page is served by its own control plane. */
const ENDPOINT = '';

function build(): Parts {
  const session = new Session(ENDPOINT);
  const safereel = createSafereel({ endpoint: ENDPOINT, getToken: () => session.tokenForRecorder() });
  safereel.subscribe((event) => {
    if (event.type === 'problem' && event.problem.code === 'owner_unknown') session.namesNobody();
  });
  const clock = new ClockWatch();
  const calls = new ApiCalls(ENDPOINT, session, clock);
  const bucket = new HttpBucketView(calls);
  const deletions = new Deletions(safereel, new BrowserWishMemory(localStorage), (id) => bucket.deleteWhileLeaving(id));
  addEventListener('pagehide', () => deletions.leaving());
  void deletions.resume();
  const quota = new QuotaWatch(safereel, bucket);
  quota.start();
  const downloads = new Downloads(new HttpDownloadCalls(calls), { session, save: saveFile });
  downloads.start();
  return {
    session,
    safereel,
    bucket,
    studio: new Studio(safereel),
    happenings: new Happenings(safereel),
    deletions,
    uploads: new Uploads(safereel),
    quota,
    clock,
    glimpses: new Glimpses(bucket),
    downloads,
    sharing: new HttpSharing(calls),
  };
}

/** Who has a link records nothing here, and signs in nowhere: none of the parts is built for them. */
const shareId = sharedIn(location.pathname);
const root = document.getElementById('root');
if (root) {
  createRoot(root).render(
    <StrictMode>
      {shareId === null ? (
        <Console parts={build()} />
      ) : (
        <SharedPage view={new HttpShareView(ENDPOINT)} shareId={shareId} />
      )}
    </StrictMode>,
  );
}
