/**
 * Runs before a page's own scripts: cameras and microphones that a test pulls out and plugs in again. What was opened ends as when a
 * cable is pulled, and what is pulled out is neither listed nor given.
 */
(() => {
  const { mediaDevices } = navigator;
  if (!mediaDevices) return; // The empty page that a tab begins with.
  const getUserMedia = mediaDevices.getUserMedia.bind(mediaDevices);
  const enumerateDevices = mediaDevices.enumerateDevices.bind(mediaDevices);
  const kinds = { video: 'videoinput', audio: 'audioinput' };
  const opened = new Set();
  const gone = new Set();
  let refusal = null;

  mediaDevices.getUserMedia = async (wanted) => {
    if (refusal) throw new DOMException('refused by the test', refusal);
    for (const kind of gone) if (wanted[kind]) throw new DOMException('pulled out by the test', 'NotFoundError');
    const stream = await getUserMedia(wanted);
    for (const track of stream.getTracks()) opened.add(track);
    return stream;
  };
  mediaDevices.enumerateDevices = async () =>
    (await enumerateDevices()).filter(({ kind }) => ![...gone].some((one) => kinds[one] === kind));

  globalThis.devices = {
    /** Answers how many tracks ended. */
    unplug(...which) {
      for (const kind of which) gone.add(kind);
      const hit = [...opened].filter(({ kind, readyState }) => which.includes(kind) && readyState === 'live');
      for (const track of hit) track.stop();
      for (const track of hit) track.dispatchEvent(new Event('ended'));
      mediaDevices.dispatchEvent(new Event('devicechange'));
      return hit.length;
    },
    plugIn(...which) {
      for (const kind of which) gone.delete(kind);
      mediaDevices.dispatchEvent(new Event('devicechange'));
    },
    /** By the name of the error that browsers raise; null: no longer. */
    refuse(name) {
      refusal = name;
    },
  };
})();
