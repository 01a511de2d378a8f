import type { Problem } from '../recorder/types';

export type Source = 'camera' | 'microphone' | 'screen';

/** What a person chose to record. Empty device ids mean the browser's default. */
export interface Choice {
  source: Source;
  cameraId: string;
  microphoneId: string;
  /** For a screen: record the microphone as well. */
  withMicrophone: boolean;
}

/** A stream of what was chosen. Ending it (`close`) turns the devices off. */
export interface Opened {
  stream: MediaStream;
  close(): void;
}

/** A device or a permission that could not be had, in words. */
export class SourceRefused extends Error {
  override readonly name = 'SourceRefused';
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

/** Asks the browser for what was chosen. @throws SourceRefused. */
export async function openSource(choice: Choice): Promise<Opened> {
  try {
    return choice.source === 'screen' ? await openScreen(choice) : await openDevices(choice);
  } catch (error) {
    throw error instanceof SourceRefused ? error : new SourceRefused(refusalOf(error, choice.source));
  }
}

/** What a refusal of the browser means for the person, by the name of its error. */
export function refusalOf(error: unknown, source: Source): Problem {
  const name = error instanceof Error ? error.name : '';
  const device = { camera: 'camera or microphone', microphone: 'microphone', screen: 'screen' }[source];
  if (name === 'NotAllowedError' && source === 'screen') {
    return {
      code: 'share_cancelled',
      detail: 'Nothing is being recorded. Press Start and choose a screen, a window or a tab.',
    };
  }
  if (name === 'NotAllowedError' || name === 'SecurityError') {
    return {
      code: 'permission_denied',
      detail: `Nothing is being recorded. Allow the ${device} for this page in the address bar of the browser, then press Start again.`,
    };
  }
  if (name === 'NotFoundError' || name === 'OverconstrainedError') {
    return { code: 'no_device', detail: `Nothing is being recorded. Connect a ${device}, or choose another source.` };
  }
  if (name === 'NotReadableError' || name === 'AbortError') {
    return {
      code: 'device_busy',
      detail: `Nothing is being recorded. Another program may be using the ${device}: close it there, then press Start again.`,
    };
  }
  if (error instanceof TypeError || name === 'NotSupportedError') {
    return {
      code: 'source_unsupported',
      detail: `This browser cannot record a ${device} here. Choose another source.`,
    };
  }
  return { code: 'source_failed', detail: error instanceof Error ? error.message : String(error) };
}

/** Cameras and microphones, once their names may be known. */
export async function listDevices(): Promise<MediaDeviceInfo[]> {
  try {
    return await navigator.mediaDevices.enumerateDevices();
  } catch {
    return []; // Without a list, the browser's default devices remain.
  }
}

async function openDevices({ source, cameraId, microphoneId }: Choice): Promise<Opened> {
  const video = source === 'camera' ? { ...exactly(cameraId), width: { ideal: 1280 }, height: { ideal: 720 } } : false;
  const stream = await navigator.mediaDevices.getUserMedia({ video, audio: exactly(microphoneId) });
  return { stream, close: () => stopTracks(stream) };
}

async function openScreen({ withMicrophone, microphoneId }: Choice): Promise<Opened> {
  const screen = await navigator.mediaDevices.getDisplayMedia({ video: true, audio: true });
  if (!withMicrophone) return { stream: screen, close: () => stopTracks(screen) };
  try {
    const microphone = await navigator.mediaDevices.getUserMedia({ audio: exactly(microphoneId) });
    return joined(screen, microphone);
  } catch (error) {
    stopTracks(screen);
    throw new SourceRefused(refusalOf(error, 'microphone'));
  }
}

/** One audio track from both: MediaRecorder takes no more than one. */
function joined(screen: MediaStream, microphone: MediaStream): Opened {
  const context = new AudioContext();
  const mix = context.createMediaStreamDestination();
  for (const part of [screen, microphone]) {
    if (part.getAudioTracks().length > 0) context.createMediaStreamSource(part).connect(mix);
  }
  return {
    stream: new MediaStream([...screen.getVideoTracks(), ...mix.stream.getAudioTracks()]),
    close: () => {
      stopTracks(screen);
      stopTracks(microphone);
      void context.close();
    },
  };
}

function exactly(deviceId: string): MediaTrackConstraints {
  return deviceId ? { deviceId: { exact: deviceId } } : {};
}

function stopTracks(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}
