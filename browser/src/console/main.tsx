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
import { Session } from './session';
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
  };
}

const root = document.getElementById('root');
if (root) {
  createRoot(root).render(
    <StrictMode>
      <Console parts={build()} />
    </StrictMode>,
  );
}
