/** A stream that needs no device: a drawn picture, and a tone that swells like speech. */
export function makeStream(kind: 'audio' | 'video' | 'silent', width = 640): MediaStream {
  const tracks: MediaStreamTrack[] = kind === 'silent' ? [] : tone().getAudioTracks();
  if (kind !== 'audio') tracks.push(...picture(width).getVideoTracks());
  return new MediaStream(tracks);
}

function picture(width: number): MediaStream {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = (width * 9) / 16;
  const pen = canvas.getContext('2d');
  let frame = 0;
  setInterval(() => {
    if (!pen) return;
    frame += 1;
    pen.resetTransform();
    pen.scale(width / 640, width / 640);
    const ground = pen.createLinearGradient(0, 0, 640, 360);
    ground.addColorStop(0, '#31424a');
    ground.addColorStop(1, '#10171a');
    pen.fillStyle = ground;
    pen.fillRect(0, 0, 640, 360);
    pen.fillStyle = '#c9b79c';
    pen.beginPath();
    pen.arc(320 + Math.sin(frame / 20) * 8, 150, 62, 0, 7);
    pen.fill();
    pen.fillStyle = '#46606b';
    pen.beginPath();
    pen.ellipse(320, 345, 150, 120, 0, 0, 7);
    pen.fill();
  }, 40);
  return canvas.captureStream(25);
}

function tone(): MediaStream {
  const context = new AudioContext();
  const out = context.createMediaStreamDestination();
  const voice = context.createOscillator();
  const loud = context.createGain();
  const swell = context.createOscillator();
  swell.frequency.value = 1.7;
  swell.connect(loud.gain);
  loud.gain.value = 0.1;
  voice.connect(loud).connect(out);
  voice.start();
  swell.start();
  return out.stream;
}

/** What one run of MediaRecorder brings, in pieces of about 0.6 s. */
export function recordRun(ms: number, stream = makeStream('video')): Promise<Blob[]> {
  const codecs = { video: 'vp8', audio: 'opus' };
  const kinds = (['video', 'audio'] as const).filter((kind) => stream.getTracks().some((track) => track.kind === kind));
  const mimeType = `${kinds[0]}/webm;codecs=${kinds.map((kind) => codecs[kind]).join(',')}`;
  const recorder = new MediaRecorder(stream, { mimeType });
  const blobs: Blob[] = [];
  // The first may be a byte: chunks are never that small, unless they are all there is.
  recorder.ondataavailable = ({ data }) => {
    if (data.size > 1) blobs.push(new Blob([rest, data]));
    rest = data.size > 1 ? new Blob() : data;
  };
  let rest = new Blob();
  recorder.start(600);
  return new Promise((resolve) => {
    recorder.onstop = () => resolve(blobs);
    setTimeout(() => recorder.stop(), ms);
  });
}
