import type { Problem, Recording, Safereel, SourceEnded, TrackKind } from '../recorder/types';
import { type Choice, listDevices, type Opened, openSource, SourceRefused } from './sources';
import { Store } from './store';
import { WakeLock } from './wake-lock';

/** `idle` nothing is open; `asking` the browser asks the person; `preview` devices are on; then a recording runs. */
export type StudioPhase = 'idle' | 'asking' | 'preview' | 'recording' | 'stopping';

/**
 * A device that went away while it was recorded. `left` is what goes on without it: empty, and nothing is recorded until a device is
 * there. `isBack`: another took over.
 */
export interface DeviceLoss {
  gone: readonly TrackKind[];
  left: readonly TrackKind[];
  isBack: boolean;
  /** Of a shared screen: its own sound, or the microphone beside it. Its picture goes on. */
  share?: 'microphone' | 'sound';
  /** Why no other device could be had, where that is more than that there is none. */
  problem: Problem | null;
}

export interface StudioState {
  phase: StudioPhase;
  choice: Choice;
  title: string;
  devices: readonly MediaDeviceInfo[];
  stream: MediaStream | null;
  /** The recording made here last; it stays in view until another is begun. */
  recordingId: string | null;
  problem: Problem | null;
  loss: DeviceLoss | null;
}

const FRESH: StudioState = {
  phase: 'idle',
  choice: { source: 'camera', cameraId: '', microphoneId: '', withMicrophone: true },
  title: '',
  devices: [],
  stream: null,
  recordingId: null,
  problem: null,
  loss: null,
};

/** What this tab captures. It outlives the pages: going to the library does not end a recording. */
export class Studio {
  readonly state: Store<StudioState>;
  readonly #safereel: Safereel;
  readonly #awake = new WakeLock();
  #opened: Opened | null = null;
  #recording: Recording | null = null;
  #isReopening = false;

  constructor(safereel: Safereel, initial: Partial<StudioState> = {}) {
    this.#safereel = safereel;
    this.state = new Store({ ...FRESH, ...initial });
    safereel.subscribe((event) => {
      if (event.type === 'deleted' && event.recordingId === this.state.get().recordingId) this.#onDeleted();
      if (event.type === 'source_ended' && event.recordingId === this.#recording?.id) this.#onSourceEnded(event);
    });
  }

  /** Sees which devices there are, and goes on seeing it as they come and go. */
  async watchDevices(): Promise<void> {
    const look = async () => this.state.patch({ devices: await listDevices() });
    navigator.mediaDevices?.addEventListener('devicechange', () => void look().then(() => this.reopen()));
    await look();
  }

  /** Changes what is to be recorded; a preview of something else is closed. While a device is missing, it is gone on with this one. */
  choose(part: Partial<Choice>): void {
    const { phase, choice, loss } = this.state.get();
    if (phase === 'recording' && loss && !part.source) {
      this.state.patch({ choice: { ...choice, ...part } });
      void this.reopen();
    }
    if (phase === 'recording' || phase === 'stopping') return;
    this.#close();
    this.state.patch({ choice: { ...choice, ...part }, phase: 'idle', problem: null });
    if (phase === 'preview') void this.preview();
  }

  setTitle(title: string): void {
    this.state.patch({ title });
  }

  /** Turns the devices on without recording anything. */
  async preview(): Promise<boolean> {
    if (this.state.get().phase !== 'idle') return this.state.get().phase === 'preview';
    this.state.patch({ phase: 'asking', problem: null });
    try {
      this.#opened = await openSource(this.state.get().choice);
    } catch (error) {
      const problem = error instanceof SourceRefused ? error.problem : null;
      this.state.patch({ phase: 'idle', problem });
      return false;
    }
    this.#watch(this.#opened);
    this.state.patch({ phase: 'preview', stream: this.#opened.stream, devices: await listDevices() });
    return true;
  }

  /** Begins a recording, asking for the devices first where they are not on. */
  async start(): Promise<void> {
    const { phase } = this.state.get();
    if (phase !== 'idle' && phase !== 'preview') return;
    if (!(await this.preview()) || !this.#opened) return;
    try {
      const { title, choice } = this.state.get();
      this.#recording = await this.#safereel.record(this.#opened.stream, {
        title: title.trim() || titleFor(choice),
        whenSourceEnds: choice.source === 'screen' ? 'end' : 'wait',
      });
    } catch (error) {
      this.#close();
      this.state.patch({ phase: 'idle', problem: problemIn(error) });
      return;
    }
    this.state.patch({ phase: 'recording', recordingId: this.#recording.id, problem: null, loss: null });
    void this.#awake.hold();
  }

  togglePause(paused: boolean): void {
    if (paused) this.#recording?.resume();
    else this.#recording?.pause();
  }

  /** Ends the recording: resolves once its last slice is on disk. Sending goes on by itself. */
  async stop(problem: Problem | null = null): Promise<void> {
    const recording = this.#recording;
    if (this.state.get().phase !== 'recording' || !recording) return;
    this.state.patch({ phase: 'stopping', problem, loss: null });
    try {
      await recording.stop();
    } catch (error) {
      this.state.patch({ problem: problemIn(error) });
    }
    if (this.#recording !== recording) return; // Deleted meanwhile: the table is cleared already.
    this.#recording = null;
    this.#close();
    this.state.patch({ phase: 'idle', title: '' });
  }

  /** Clears the table for another recording. */
  another(): void {
    if (this.state.get().phase === 'idle') this.state.patch({ recordingId: null, problem: null });
  }

  /** What was on the table is gone; a capture of it was stopped by the recorder. */
  #onDeleted(): void {
    this.#recording = null;
    this.#close();
    this.state.patch({ phase: 'idle', recordingId: null, title: '', problem: null, loss: null });
  }

  #watch({ stream, microphone }: Opened): void {
    for (const track of stream.getTracks()) {
      track.addEventListener('ended', () => this.#onTrackEnded(stream), { once: true });
    }
    if (microphone) microphone.onEnded = () => this.#onMicrophoneEnded(stream, microphone.beside);
  }

  /** A preview without its device is none. What becomes of a recording, the recorder tells. */
  #onTrackEnded(stream: MediaStream): void {
    if (this.#opened?.stream !== stream || this.state.get().phase !== 'preview') return;
    this.#close();
    this.state.patch({ phase: 'idle' });
  }

  /** The recorder does not see it, since the mix goes on: nothing ends, and another microphone goes into the same sound. */
  #onMicrophoneEnded(stream: MediaStream, left: readonly TrackKind[]): void {
    this.#onTrackEnded(stream);
    if (this.#opened?.stream !== stream || this.state.get().phase !== 'recording') return;
    this.state.patch({ loss: { gone: ['audio'], left, isBack: false, share: 'microphone', problem: null } });
    void this.reopen();
  }

  /** The plug was pulled: what was captured is kept, what is left goes on, and another device is tried at once. */
  #onSourceEnded({ kind, left }: SourceEnded): void {
    const { choice, phase, loss } = this.state.get();
    if (phase !== 'recording') return;
    if (choice.source === 'screen' && kind === 'audio' && left.includes('video')) {
      this.state.patch({ loss: { gone: [kind], left, isBack: false, share: 'sound', problem: null } });
      return;
    }
    if (choice.source === 'screen') {
      const detail = 'The share ended, so the recording was ended. Everything until then is kept and being sent.';
      void this.stop({ code: 'source_ended', detail });
      return;
    }
    const gone = new Set(loss && !loss.isBack ? loss.gone : []).add(kind);
    this.state.patch({ loss: { gone: [...gone], left, isBack: false, problem: null } });
    void this.reopen();
  }

  /** Goes on with what was chosen, else with the browser's default, else with the sound alone where nothing is left. */
  async reopen(): Promise<void> {
    const { loss, phase } = this.state.get();
    if (phase !== 'recording' || !loss || loss.isBack || loss.share === 'sound' || this.#isReopening) return;
    this.#isReopening = true;
    try {
      if (loss.share) await this.#replaceMicrophone();
      else await this.#openAndGoOn(loss);
    } catch (error) {
      this.#patchLoss({ problem: problemIn(error) });
    } finally {
      this.#isReopening = false;
    }
  }

  async #openAndGoOn(loss: DeviceLoss): Promise<void> {
    const { opened, problem } = await this.#openAny(loss);
    if (opened) await this.#goOnWith(opened);
    else this.#patchLoss({ problem });
  }

  async #replaceMicrophone(): Promise<void> {
    const { microphoneId } = this.state.get().choice;
    const microphone = this.#opened?.microphone;
    for (const id of new Set([microphoneId, ''])) {
      try {
        await microphone?.replace(id);
        this.#patchLoss({ isBack: true, problem: null });
        return;
      } catch (error) {
        this.#patchLoss({ problem: refusalToTell(error) });
      }
    }
  }

  async #openAny({ left }: DeviceLoss): Promise<{ opened: Opened | null; problem: Problem | null }> {
    const { choice } = this.state.get();
    const tries: Choice[] = [choice, { ...choice, cameraId: '', microphoneId: '' }];
    if (left.length === 0 && choice.source === 'camera')
      tries.push({ ...choice, source: 'microphone', microphoneId: '' });
    let problem: Problem | null = null;
    for (const one of tries) {
      try {
        return { opened: await openSource(one), problem: null };
      } catch (error) {
        problem = refusalToTell(error) ?? problem;
      }
    }
    return { opened: null, problem };
  }

  async #goOnWith(opened: Opened): Promise<void> {
    const before = this.#opened;
    try {
      if (this.state.get().phase !== 'recording') throw new Error('It was stopped meanwhile.');
      await this.#recording?.continueWith(opened.stream);
    } catch (error) {
      opened.close();
      throw error;
    }
    before?.close();
    this.#opened = opened;
    const has = (kind: TrackKind) => opened.stream.getTracks().some((track) => track.kind === kind);
    const missing = (this.state.get().loss?.gone ?? []).filter((kind) => !has(kind));
    this.state.patch({ stream: opened.stream, devices: await listDevices() });
    this.#patchLoss(missing.length > 0 ? { gone: missing, left: ['audio'] } : { isBack: true, problem: null });
  }

  /** The person has read that it goes on. */
  dismissLoss(): void {
    const { loss } = this.state.get();
    if (loss?.isBack || loss?.share === 'sound') this.state.patch({ loss: null });
  }

  #patchLoss(part: Partial<DeviceLoss>): void {
    const { loss } = this.state.get();
    if (loss) this.state.patch({ loss: { ...loss, ...part } });
  }

  #close(): void {
    this.#opened?.close();
    this.#opened = null;
    this.#awake.release();
    this.state.patch({ stream: null });
  }
}

/** A title for those who give none: what it is and when it began. */
export function titleFor({ source }: Choice, now = new Date()): string {
  const what = { camera: 'Camera', microphone: 'Microphone', screen: 'Screen' }[source];
  const day = now.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' });
  const time = now.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
  return `${what}, ${day} ${time}`;
}

/** Why a device could not be had; null where there is none, which is what is said already. */
function refusalToTell(error: unknown): Problem | null {
  return error instanceof SourceRefused && error.problem.code !== 'no_device' ? error.problem : null;
}

function problemIn(error: unknown): Problem {
  const detail = error instanceof Error ? error.message : String(error);
  const code = (error as { code?: unknown } | null)?.code;
  return { code: typeof code === 'string' ? code : 'unexpected', detail };
}
