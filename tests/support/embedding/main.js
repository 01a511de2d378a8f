/** A page of somebody else's that embeds the recorder: tests call what an integrator would. */
import { createSafereel } from '../../../browser/src/recorder';

globalThis.embed = async (options, token) => {
  const safereel = createSafereel({ ...options, getToken: async () => token });
  globalThis.safereel = safereel;
  await safereel.ready();
};

const WANTED = { video: { width: 320, height: 240 }, audio: true };

globalThis.record = async (options) => {
  const stream = await navigator.mediaDevices.getUserMedia(WANTED);
  globalThis.recording = await safereel.record(stream, options);
  return recording.id;
};

/** Goes on with devices opened anew. Of a refusal, its code. */
globalThis.goOn = async (wanted = WANTED) => {
  try {
    await recording.continueWith(await navigator.mediaDevices.getUserMedia(wanted));
    return 'goes on';
  } catch (error) {
    return error.code;
  }
};

const chooser = document.body.appendChild(document.createElement('input'));
chooser.type = 'file';

/** Uploads what was chosen. Answers the upload's id and whether it was done before; of a refusal, its code. */
globalThis.upload = async (options) => {
  try {
    globalThis.file = await safereel.uploadFile(chooser.files[0], options);
    return { id: file.id, already: file.already };
  } catch (error) {
    return { code: error.code, message: error.message };
  }
};

globalThis.view = (id) => safereel.snapshot().recordings.find((recording) => recording.id === id);

document.documentElement.dataset.ready = 'true';
