/** What the bucket has of files that are being uploaded, as far as this device does not hold it: no heartbeat tells of that. */
import type { ControlPlane, RecordingStatus } from './control-plane';
import type { Trouble } from './failure';
import type { GivenFiles } from './given-files';
import { type Inventory, isSafe, isSent } from './inventory';
import { inRanges } from './ranges';
import type { Uploader } from './uploader';

/** How often it is asked what the bucket has of a file's chunks that are not held here: only the row's last words wait. */
const LOOK_MS = 15_000;

/** Uploads of files, for what they do otherwise than recordings. */
export interface FilesBeside {
  readonly given: GivenFiles;
  found(id: string): Promise<void>;
  sourceLost(id: string, problem: Trouble): Promise<void>;
  onStatus(id: string): void;
  onCompleted(id: string): Promise<void>;
}

export class FileStatus {
  readonly #inventory: Inventory;
  readonly #uploader: Uploader;
  readonly #plane: ControlPlane;
  readonly #files: FilesBeside | null;
  readonly #answered: (id: string, status: RecordingStatus) => Promise<void>;
  readonly #signal: AbortSignal;

  /** `answered` takes in what the control plane said when it was asked. */
  constructor(
    inventory: Inventory,
    uploader: Uploader,
    plane: ControlPlane,
    files: FilesBeside | null,
    answered: (id: string, status: RecordingStatus) => Promise<void>,
    signal: AbortSignal,
  ) {
    this.#inventory = inventory;
    this.#uploader = uploader;
    this.#plane = plane;
    this.#files = files;
    this.#answered = answered;
    this.#signal = signal;
  }

  /** What the control plane has is known anew. */
  take(id: string, status: RecordingStatus): void {
    if (!this.#inventory.get(id)?.facts.file) return;
    this.#bringBack(id, status);
    this.#files?.onStatus(id);
    this.endIfSent(id);
  }

  /** The file is not at hand any more: its chunks that are not in OPFS are not held, and its upload cannot end. */
  withoutSource(id: string): void {
    const shipment = this.#uploader.shipment(id);
    if (!shipment || shipment.completed) return;
    shipment.end = null;
    for (const { seq, held } of this.#inventory.get(id)?.chunks.values() ?? []) if (held === false) shipment.drop(seq);
  }

  /** What the bucket lost of a file is read from it once more, also what was released: a file is still there. */
  #bringBack(id: string, { received }: RecordingStatus): void {
    const shipment = this.#uploader.shipment(id);
    for (const chunk of [...(this.#inventory.get(id)?.chunks.values() ?? [])]) {
      if (shipment?.parcel(chunk.seq) || !isSent(chunk.state) || inRanges(received, chunk.seq)) continue;
      this.#inventory.put(id, { ...chunk, state: 'on_disk', held: false });
      const seal = this.#files?.given.sealOf(id, chunk.seq);
      if (seal) this.#uploader.add(id, seal);
      else if (shipment) shipment.end = null;
    }
  }

  /** A file whose chunks are all sealed, and here or received, needs its source no more: it can end. */
  endIfSent(id: string): void {
    const entry = this.#inventory.get(id);
    const shipment = this.#uploader.shipment(id);
    if (!entry?.end || !shipment) return;
    const chunks = [...entry.chunks.values()];
    const beyond = chunks.filter(({ seq, state }) => !shipment.parcel(seq) && !isSafe(state));
    if (beyond.every(({ state }) => isSent(state))) this.#uploader.end(id, entry.end);
    // Whether what is not held was confirmed is asked for.
    if (beyond.length > 0) this.#lookLater(id);
  }

  #lookLater(id: string): void {
    const timer = setTimeout(() => void this.#look(id), LOOK_MS);
    this.#signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  }

  async #look(id: string): Promise<void> {
    if (!this.#uploader.shipment(id)) return;
    try {
      await this.#answered(id, await this.#plane.status(id, this.#signal));
    } catch {
      // The line tells how it is by its other calls.
      if (!this.#signal.aborted) this.#lookLater(id);
    }
  }
}
