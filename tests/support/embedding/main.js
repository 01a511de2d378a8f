/** A page of somebody else's that embeds the recorder: tests call what an integrator would. */
import { createSafereel } from '../../../browser/src/recorder';

globalThis.embed = async (options, token) => {
  const safereel = createSafereel({ ...options, getToken: async () => token });
  globalThis.safereel = safereel;
  await safereel.ready();
};

globalThis.record = async (options) => {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 320, height: 240 }, audio: true });
  globalThis.recording = await safereel.record(stream, options);
  return recording.id;
};

globalThis.view = (id) => safereel.snapshot().recordings.find((recording) => recording.id === id);

document.documentElement.dataset.ready = 'true';
