import { createSafereel, type Recording } from '@safereel/recorder';
import { useState, useSyncExternalStore } from 'react';

const endpoint = 'http://localhost:8000'; // the control plane
const getToken = async () => (await fetch('/safereel-token')).text(); // a call of your backend

// One for the page, outside of components: recordings and what an earlier visit left go on whatever is rendered.
const safereel = createSafereel({ endpoint, getToken });
const subscribe = (changed: () => void) => safereel.subscribe(changed);
const snapshot = () => safereel.snapshot();

/** A button that starts and stops a recording, and where its bytes are. */
export function Recorder({ title }: { title: string }) {
  const { recordings } = useSyncExternalStore(subscribe, snapshot, snapshot);
  const [recording, setRecording] = useState<Recording | null>(null);
  const [stream, setStream] = useState<MediaStream | null>(null);
  const [error, setError] = useState('');

  async function start() {
    const camera = await navigator.mediaDevices.getUserMedia({ video: true, audio: true });
    setStream(camera);
    setRecording(await safereel.record(camera, { title }));
  }

  async function stop() {
    await recording?.stop(); // all of it is on this device's disk: the page may be closed
    for (const track of stream?.getTracks() ?? []) track.stop();
    setRecording(null);
  }

  const told = (work: () => Promise<void>) => () => {
    setError('');
    work().catch((failed: Error) => setError(failed.message));
  };

  return (
    <section>
      <button type="button" onClick={told(recording ? stop : start)}>
        {recording ? 'Stop' : 'Record'}
      </button>
      <p role="alert">{error}</p>
      <ul>
        {recordings.map(({ id, title, state, chunksOnlyHere }) => (
          <li key={id}>
            {title}: {state === 'complete' ? 'stored' : `${state}, ${chunksOnlyHere} chunks only on this device`}
          </li>
        ))}
      </ul>
    </section>
  );
}
