import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { createSafereel } from '../recorder';
import { HttpBucketView } from './bucket-view';
import { Console } from './console';
import './console.css';
import { Happenings } from './happenings';
import type { Parts } from './parts';
import { Session } from './session';
import { Studio } from './studio';

/** The page is served by its own control plane. */
const ENDPOINT = '';

function build(): Parts {
  const session = new Session(ENDPOINT);
  const safereel = createSafereel({ endpoint: ENDPOINT, getToken: () => session.tokenForRecorder() });
  return {
    session,
    safereel,
    bucket: new HttpBucketView(ENDPOINT, session),
    studio: new Studio(safereel),
    happenings: new Happenings(safereel),
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
