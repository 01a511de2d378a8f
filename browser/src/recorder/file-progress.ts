/** How the upload of a file goes, from what is known of it; pure, but for the samples that `FilePace` keeps. */
import type { RecordingHead } from './spool-protocol';
import type { FileProgress, FileState } from './types';

/** Long enough for some chunks of 8 MiB on a slow line, short enough to mean now. */
const PACE_WINDOW_MS = 20_000;

/** Below this the first chunk's figure would be that of the line's buffers. */
const PACE_SHORTEST_MS = 500;

/** Bytes a second at which one file is being sent. */
export class FilePace {
  #since: number;
  #samples: { at: number; bytes: number }[] = [];

  /** Begins at `now`, in epoch ms. */
  constructor(now: number) {
    this.#since = now;
  }

  sent(now: number, bytes: number): void {
    this.#samples.push({ at: now, bytes });
  }

  /** Forgets what was: sending was interrupted. */
  restart(now: number): void {
    this.#since = now;
    this.#samples = [];
  }

  /** Over the last seconds; null until something was sent in them. */
  perSecond(now: number): number | null {
    const from = Math.max(this.#since, now - PACE_WINDOW_MS);
    this.#samples = this.#samples.filter(({ at }) => at >= from);
    if (this.#samples.length === 0) return null;
    const bytes = this.#samples.reduce((sum, sample) => sum + sample.bytes, 0);
    return (bytes / Math.max(PACE_SHORTEST_MS, now - from)) * 1000;
  }
}

/** The progress of a file's upload; null for what is recorded. */
export function progressOf(head: RecordingHead): FileProgress | null {
  const { facts, file, sentBytes } = head;
  if (!facts.file) return null;
  const { name, lastModified, size } = facts.file;
  const state = stateOf(head);
  const bytesPerSecond = state === 'sending' ? (file?.bytesPerSecond ?? null) : null;
  const left = size - sentBytes;
  return {
    state,
    name,
    lastModified,
    totalBytes: size,
    sentBytes,
    bytesPerSecond,
    timeLeftMs: bytesPerSecond ? Math.round((left / bytesPerSecond) * 1000) : null,
    reopenable: state === 'source_needed' && (file?.reopenable ?? false),
  };
}

function stateOf({ complete, stuck, file }: RecordingHead): FileState {
  if (stuck) return 'stuck';
  if (complete) return 'complete';
  if (file?.checking) return 'checking';
  if (file?.sourceNeeded) return 'source_needed';
  return file?.paused ? 'paused' : 'sending';
}
