import type { Problem, Recording, Safereel } from '../recorder/types';
import { type Choice, listDevices, type Opened, openSource, SourceRefused } from './sources';
import { Store } from './store';
import { WakeLock } from './wake-lock';

/** `idle` nothing is open; `asking` the browser asks the person; `preview` devices are on; then a recording runs. */
export type StudioPhase = 'idle' | 'asking' | 'preview' | 'recording' | 'stopping';

export interface StudioState {
  phase: StudioPhase;
  choice: Choice;
  title: string;
  devices: readonly MediaDeviceInfo[];
  stream: MediaStream | null;
  /** The recording made here last; it stays in view until another is begun. */
  recordingId: string | null;
  problem: Problem | null;
}

const FRESH: StudioState = {
  phase: 'idle',
  choice: { source: 'camera', cameraId: '', microphoneId: '', withMicrophone: true },
  title: '',
  devices: [],
  stream: null,
  recordingId: null,
  problem: null,
};

/** What this tab captures. It outlives the pages: going to the library does not end a recording. */
export class Studio {
  readonly state: Store<StudioState>;
  readonly #safereel: Safereel;
  readonly #awake = new WakeLock();
  #opened: Opened | null = null;
  #recording: Recording | null = null;

  constructor(safereel: Safereel, initial: Partial<StudioState> = {}) {
    this.#safereel = safereel;
    this.state = new Store({ ...FRESH, ...initial });
    safereel.subscribe((event) => {
      if (event.type === 'deleted' && event.recordingId === this.state.get().recordingId) this.#onDeleted();
    });
  }

  /** Sees which devices there are, and goes on seeing it as they come and go. */
  async watchDevices(): Promise<void> {
    const look = async () => this.state.patch({ devices: await listDevices() });
    navigator.mediaDevices?.addEventListener('devicechange', () => void look());
    await look();
  }

  /** Changes what is to be recorded; a preview of something else is closed. */
  choose(part: Partial<Choice>): void {
    const { phase, choice } = this.state.get();
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
    this.#watchTracks(this.#opened.stream);
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
      this.#recording = await this.#safereel.record(this.#opened.stream, { title: title.trim() || titleFor(choice) });
    } catch (error) {
      this.#close();
      this.state.patch({ phase: 'idle', problem: problemIn(error) });
      return;
    }
    this.state.patch({ phase: 'recording', recordingId: this.#recording.id, problem: null });
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
    this.state.patch({ phase: 'stopping', problem });
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
    this.state.patch({ phase: 'idle', recordingId: null, title: '', problem: null });
  }

  #watchTracks(stream: MediaStream): void {
    for (const track of stream.getTracks()) {
      track.addEventListener('ended', () => this.#onTrackEnded(stream, track), { once: true });
    }
  }

  /** The person ended the share, or pulled the plug: what was captured until then is kept, and said. */
  #onTrackEnded(stream: MediaStream, track: MediaStreamTrack): void {
    if (this.#opened?.stream !== stream) return;
    const { phase, choice } = this.state.get();
    const what =
      choice.source === 'screen'
        ? 'The share ended'
        : `The ${track.kind === 'video' ? 'camera' : 'microphone'} stopped`;
    if (phase === 'recording') {
      const detail = `${what}, so the recording was ended. Everything until then is kept and being sent.`;
      void this.stop({ code: 'source_ended', detail });
    } else if (phase === 'preview') {
      this.#close();
      this.state.patch({ phase: 'idle' });
    }
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

function problemIn(error: unknown): Problem {
  const detail = error instanceof Error ? error.message : String(error);
  const code = (error as { code?: unknown } | null)?.code;
  return { code: typeof code === 'string' ? code : 'unexpected', detail };
}
