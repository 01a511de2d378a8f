import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Recorder } from './recorder';

const root = document.getElementById('root');
if (root) {
  createRoot(root).render(
    <StrictMode>
      <Recorder title="Room 4" />
    </StrictMode>,
  );
}
