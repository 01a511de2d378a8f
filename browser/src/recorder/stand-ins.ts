/**
 * What stands in for a device that is gone: a black picture, or silence. All segments of a recording have the same kinds of tracks
 * then, without which no player plays one after the other. And MediaRecorder, left with a track that has ended, keeps what comes
 * of the other in memory until it is stopped (seen in Chromium 156 and Firefox 153, for an ended microphone): a crash would cost it.
 */
import type { TrackKind } from './types';

/** A stream to record; `close` ends what stands in. */
export interface StoodIn {
  stream: MediaStream;
  close(): void;
}

export interface PictureSize {
  width: number;
  height: number;
}

interface StandIn {
  track: MediaStreamTrack;
  close(): void;
}

/** The sound waits for the next picture before it is delivered, in Firefox at first for six of them (seen). */
const PICTURE_MS = 100;
/** A page that nobody has touched may play no sound, not even none. */
const AUDIO_START_MS = 1_000;

/**
 * Exactly one live track of each of these kinds: the stream's, or what stands in for it. Silence needs a browser that plays sound: where
 * it does not, the kind is left out, since what comes of the other must reach the disk in any case.
 */
export async function withStandIns(
  stream: MediaStream,
  kinds: readonly TrackKind[],
  size: PictureSize,
): Promise<StoodIn> {
  const standIns: StandIn[] = [];
  const tracks: MediaStreamTrack[] = [];
  for (const kind of kinds) {
    const own = liveTracks(stream, kind)[0];
    const standIn = own ? null : kind === 'audio' ? await silence() : blackPicture(size);
    if (standIn) standIns.push(standIn);
    const track = own ?? standIn?.track;
    if (track) tracks.push(track);
  }
  const close = () => {
    for (const one of standIns) one.close();
  };
  return { stream: new MediaStream(tracks), close };
}

/** The tracks of a kind that still deliver. */
export function liveTracks(stream: MediaStream, kind: TrackKind): MediaStreamTrack[] {
  return stream.getTracks().filter((track) => track.kind === kind && track.readyState === 'live');
}

async function silence(): Promise<StandIn | null> {
  const context = new AudioContext();
  await Promise.race([context.resume(), new Promise((resolve) => setTimeout(resolve, AUDIO_START_MS))]);
  const out = context.createMediaStreamDestination();
  const source = context.createConstantSource();
  source.offset.value = 0;
  source.connect(out);
  source.start();
  const [track] = out.stream.getAudioTracks();
  const close = () => void context.close();
  if (context.state === 'running' && track) return { track, close };
  close(); // It would deliver nothing, and the muxer would wait for it.
  return null;
}

function blackPicture({ width, height }: PictureSize): StandIn | null {
  const canvas = document.createElement('canvas');
  Object.assign(canvas, { width, height });
  const pen = canvas.getContext('2d');
  const [track] = canvas.captureStream().getVideoTracks();
  if (!pen || !track) return null;
  let drawn = 0;
  const draw = () => {
    // Not quite the same each time: an unchanged canvas gives no new picture.
    drawn += 1;
    pen.fillStyle = drawn % 2 === 0 ? '#000' : '#010101';
    pen.fillRect(0, 0, width, height);
  };
  draw();
  const timer = setInterval(draw, PICTURE_MS);
  return {
    track,
    close: () => {
      clearInterval(timer);
      track.stop();
    },
  };
}
