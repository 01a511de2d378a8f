/** What tests of the uploader begin with: one recording, its chunks, and somebody who hears what is said. */
import type { Trouble } from '../../../src/recorder/failure';
import type { RecordingFacts, Seal } from '../../../src/recorder/journal';

export const FACTS: RecordingFacts = {
  id: 'r1',
  owner: 'alice',
  recorderId: 'd',
  mimeType: 'video/webm',
  title: '',
  startedAt: 0,
};

/** A chunk of `size` bytes. */
export const sealOf = (seq: number, size = 10): Seal => ({
  seq,
  segment: 0,
  size,
  sha256: `s${seq}`,
  startMs: 0,
  durationMs: 1,
});

/** Events of an uploader that do nothing, but run what has to run once a recording has ended. */
export const SILENT = {
  chunk: () => undefined,
  acked: () => undefined,
  completed: () => undefined,
  status: () => undefined,
  deleted: () => undefined,
  limits: () => undefined,
  interval: () => undefined,
  stuck: (_id: string, _problem: Trouble) => undefined,
  trouble: (_id: string, _problem: Trouble | null) => undefined,
  standing: () => undefined,
  overQuota: () => undefined,
  refile: async () => undefined,
  whileEnded: async (_id: string, work: () => Promise<void>) => {
    await work();
    return true;
  },
};

/** A spool that has every chunk, whole. */
export const SOURCE = {
  chunkFile: async (_id: string, { size }: Seal) => new Blob([new Uint8Array(size)]),
  isIntact: async () => true,
};
