/** A recording on its way: what is left to send of it, what its calls came to, and whom that is told. */

import type { Gate } from './backoff';
import type { RecordingStatus } from './control-plane';
import type { Trouble } from './failure';
import type { End, RecordingFacts, Seal } from './journal';
import type { Shipment } from './shipment';
import type { ChunkState, OverQuota } from './types';

/** What the uploader needs of the spool. */
export interface ChunkSource {
  chunkFile(id: string, seal: Seal): Promise<Blob>;
  isIntact(id: string, seal: Seal): Promise<boolean>;
}

/** Whom the uploader tells. None of these may throw. */
export interface UploaderEvents {
  chunk(id: string, seq: number, state: ChunkState): void;
  acked(id: string): void;
  completed(id: string): void;
  deleted(id: string): void;
  /** What the control plane has, asked after a start. */
  status(id: string, status: RecordingStatus): void;
  limits(id: string, maxChunkBytes: number): void;
  interval(heartbeatMs: number): void;
  stuck(id: string, problem: Trouble): void;
  /** Not final: the recording goes on being tried; null when it is over. */
  trouble(id: string, problem: Trouble | null): void;
  standing(): void;
  /** The quota holds chunks back (again, with newer figures), or null: no longer. */
  overQuota(quota: OverQuota | null): void;
  /** Files these chunks under another recording. On failure it says so, and they stay. */
  refile(id: string, seals: readonly Seal[]): Promise<void>;
  /** Runs `work` while nobody can resume the recording; answers false without running it when somebody writes it. */
  whileEnded(id: string, work: () => Promise<void>): Promise<boolean>;
}

/** What can be begun now. Each is empty or false when there is nothing of its kind. */
export interface Steps {
  start: boolean;
  grant: Seal[];
  acks: { seq: number; etag?: string }[];
  complete: End | null;
  /** Chunks that only a recording of their own can take. */
  refile: Seal[];
}

export type Call = 'start' | 'grant' | 'put' | 'ack' | 'complete';

/** A shipment and what its calls came to. */
export interface Consignment {
  readonly shipment: Shipment;
  readonly facts: RecordingFacts;
  /** The control plane may know it from before: ask first. */
  readonly leftover: boolean;
  readonly gate: Gate;
  /** The call whose trouble is shown: it is over when that call succeeds. */
  troubled: Call | null;
  /** It was deleted or finished: what still comes back of its calls is nobody's business. */
  closed: boolean;
  /** A person paused it: nothing more of it is sent. */
  paused: boolean;
}

/** Says that `call` has trouble, until `overcome` for the same call. */
export function trouble(events: UploaderEvents, entry: Consignment, call: Call, problem: Trouble): void {
  if (entry.closed) return;
  entry.troubled = call;
  events.trouble(entry.shipment.id, problem);
}

/** The call whose trouble was shown went well. */
export function overcome(events: UploaderEvents, entry: Consignment, call: Call): void {
  if (entry.troubled !== call) return;
  entry.troubled = null;
  if (!entry.closed && !entry.shipment.hasRefused) events.trouble(entry.shipment.id, null);
}
