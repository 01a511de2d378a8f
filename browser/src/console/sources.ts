import type { Problem, TrackKind } from '../recorder/types';

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
  /** The microphone that is mixed into a shared screen: its end shows in no track of the stream. */
  microphone?: MixedMicrophone;
  close(): void;
}

/** A microphone beside a shared screen's own sound, in one track: MediaRecorder takes no more than one. */
export class MixedMicrophone {
  /** It went away: the screen's own sound goes on, or silence. */
  onEnded: () => void = () => undefined;
  /** What goes on being recorded without it. */
  readonly beside: readonly TrackKind[];
  readonly #context: AudioContext;
  readonly #mix: AudioNode;
  #plugged: { stream: MediaStream; source: AudioNode } | null = null;
  #closed = false;

  constructor(context: AudioContext, mix: AudioNode, stream: MediaStream, beside: readonly TrackKind[]) {
    this.beside = beside;
    this.#context = context;
    this.#mix = mix;
    this.#plug(stream);
  }

  /** Goes on with this one (empty: the browser's default) in the same sound, so in the same part. @throws SourceRefused. */
  async replace(microphoneId: string): Promise<void> {
    const stream = await openMicrophone(microphoneId);
    if (this.#closed) return stopTracks(stream);
    this.#unplug();
    this.#plug(stream);
  }

  close(): void {
    this.#closed = true;
    this.#unplug();
  }

  #plug(stream: MediaStream): void {
    const source = this.#context.createMediaStreamSource(stream);
    source.connect(this.#mix);
    this.#plugged = { stream, source };
    for (const track of stream.getAudioTracks())
      track.addEventListener('ended', () => this.#plugged?.stream === stream && this.onEnded(), { once: true });
  }

  #unplug(): void {
    this.#plugged?.source.disconnect();
    if (this.#plugged) stopTracks(this.#plugged.stream);
    this.#plugged = null;
  }
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
    return joined(screen, await openMicrophone(microphoneId));
  } catch (error) {
    stopTracks(screen);
    throw error;
  }
}

async function openMicrophone(microphoneId: string): Promise<MediaStream> {
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: exactly(microphoneId) });
  } catch (error) {
    throw new SourceRefused(refusalOf(error, 'microphone'));
  }
}

function joined(screen: MediaStream, stream: MediaStream): Opened {
  const context = new AudioContext();
  const mix = context.createMediaStreamDestination();
  const hasSound = screen.getAudioTracks().length > 0;
  if (hasSound) context.createMediaStreamSource(screen).connect(mix);
  const microphone = new MixedMicrophone(context, mix, stream, hasSound ? ['video', 'audio'] : ['video']);
  return {
    stream: new MediaStream([...screen.getVideoTracks(), ...mix.stream.getAudioTracks()]),
    microphone,
    close: () => {
      stopTracks(screen);
      microphone.close();
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
