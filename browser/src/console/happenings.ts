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
  /** Problems of the recorder as a whole, the latest of each code; those of a recording stand on its view. */
  problems: readonly Problem[];
  /** Deleted elsewhere during this visit, with something of it on this device. */
  deleted: readonly RecordingDeleted[];
}

/** Remembers for the page what the recorder tells only once. */
export class Happenings {
  readonly state: Store<HappeningsState>;

  constructor(safereel: Safereel, initial: Partial<HappeningsState> = {}) {
    this.state = new Store({ recovered: [], problems: [], deleted: [], ...initial });
    safereel.subscribe((event) => {
      if (event.type === 'recovered') this.#onRecovered(event);
      if (event.type === 'deleted') this.#onDeleted(event);
      if (event.type === 'problem' && event.recordingId === undefined) this.#onProblem(event.problem);
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
