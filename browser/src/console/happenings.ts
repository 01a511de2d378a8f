import type { Problem, RecordingDeleted, Safereel } from '../recorder/types';
import { Store } from './store';

export interface Recovered {
  recordingId: string;
  chunks: number;
  bytes: number;
}

export interface HappeningsState {
  /** Found on this device at the start of this visit. */
  recovered: readonly Recovered[];
  /** Problems of the recorder, the latest of each code; those that last stand on the view of their recording. */
  problems: readonly Problem[];
  /** Deleted elsewhere during this visit, with something of it on this device. */
  deleted: readonly RecordingDeleted[];
}

/** Problems of one recording that its view does not carry, or not for long: they are told once, and shown until they were read. */
const OF_ITS_OWN = new Set([
  'capture_failed',
  'continue_unsupported',
  'recording_refiled',
  'recovery_failed',
  'journal_damaged',
  'chunk_vanished',
  'releases_failed',
  'discard_failed',
]);

/** Remembers for the page what the recorder tells only once. */
export class Happenings {
  readonly state: Store<HappeningsState>;

  constructor(safereel: Safereel, initial: Partial<HappeningsState> = {}) {
    this.state = new Store({ recovered: [], problems: [], deleted: [], ...initial });
    safereel.subscribe((event) => {
      if (event.type === 'recovered') this.#onRecovered(event);
      if (event.type === 'deleted') this.#onDeleted(event);
      if (event.type === 'problem' && (event.recordingId === undefined || OF_ITS_OWN.has(event.problem.code)))
        this.#onProblem(event.problem);
    });
  }

  /** The person has read it. */
  dismissRecovered(recordingId: string): void {
    const { recovered } = this.state.get();
    this.state.patch({ recovered: recovered.filter((one) => one.recordingId !== recordingId) });
  }

  dismissDeleted(recordingId: string): void {
    const { deleted } = this.state.get();
    this.state.patch({ deleted: deleted.filter((one) => one.recordingId !== recordingId) });
  }

  dismissProblem(code: string): void {
    const { problems } = this.state.get();
    this.state.patch({ problems: problems.filter((one) => one.code !== code) });
  }

  #onRecovered({ recordingId, chunks, bytes }: Recovered): void {
    const others = this.state.get().recovered.filter((one) => one.recordingId !== recordingId);
    this.state.patch({ recovered: [...others, { recordingId, chunks, bytes }] });
  }

  #onDeleted(event: RecordingDeleted): void {
    this.dismissRecovered(event.recordingId);
    if (!event.requested) this.state.patch({ deleted: [...this.state.get().deleted, event] });
  }

  #onProblem(problem: Problem): void {
    const others = this.state.get().problems.filter(({ code }) => code !== problem.code);
    this.state.patch({ problems: [...others, problem] });
  }
}
