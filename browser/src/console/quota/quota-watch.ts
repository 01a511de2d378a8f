import type { Safereel, SafereelEvent } from '../../recorder/types';
import type { BucketView, Quota } from '../bucket-view';
import { Store } from '../store';

/** How often it is looked up while the page is in view: uploads move it by a chunk every few seconds. */
const EVERY_MS = 30_000;

/** After these the figures are other ones at once. */
const CHANGES_IT = new Set<SafereelEvent['type']>(['over_quota', 'completed', 'deleted']);

/** Events come in crowds; one look for each crowd. */
const SETTLE_MS = 800;

/** The owner's share of the bucket; null until it is known. What was known last stays while the server does not answer. */
export class QuotaWatch {
  readonly state: Store<Quota | null>;
  readonly #bucket: BucketView;
  readonly #safereel: Safereel;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(safereel: Safereel, bucket: BucketView, initial: Quota | null = null) {
    this.#safereel = safereel;
    this.#bucket = bucket;
    this.state = new Store(initial);
  }

  /** Looks now and again until the answer is called. */
  start(): () => void {
    const unsubscribe = this.#safereel.subscribe(({ type }) => {
      if (CHANGES_IT.has(type)) this.#lookIn(SETTLE_MS);
    });
    this.#lookIn(0);
    return () => {
      unsubscribe();
      clearTimeout(this.#timer);
    };
  }

  #lookIn(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#look(), ms);
  }

  async #look(): Promise<void> {
    if (document.visibilityState === 'visible') {
      try {
        this.state.set((await this.#bucket.me()).quota);
      } catch {
        // The notices about line and sign-in tell it; the figures known last stand.
      }
    }
    this.#lookIn(EVERY_MS);
  }
}
