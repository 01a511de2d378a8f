import { CallFailed } from '../../../src/console/api-calls';
import type {
  BucketView,
  ChunkPage,
  Quota,
  RecordingPage,
  StoredChunk,
  StoredRecording,
  StoredStatus,
} from '../../../src/console/bucket-view';
import type {
  Availabilities,
  Download,
  DownloadCalls,
  DownloadPage,
  Polled,
} from '../../../src/console/downloads/download-calls';
import type { Problem, Safereel, Snapshot } from '../../../src/recorder/types';
import type { Scene } from './scene';
import { idOf } from './snapshots';

/** A recorder that shows one snapshot and does nothing. */
export function stillSafereel(snapshot: Snapshot): Safereel {
  return {
    snapshot: () => snapshot,
    subscribe: () => () => undefined,
    ready: () => Promise.resolve(),
    record: () => Promise.reject(new Error('nothing is recorded in the gallery')),
    uploadFile: () => Promise.reject(new Error('nothing is uploaded in the gallery')),
    fileUpload: () => {
      throw new Error('nothing is uploaded in the gallery');
    },
    delete: () => new Promise(() => undefined),
    discardLocal: () => new Promise(() => undefined),
    persist: () => Promise.resolve(false),
    retryNow: () => undefined,
    limitUploads: () => undefined,
    saveToFiles: () => Promise.resolve([]),
    close: () => Promise.resolve(),
  };
}

export function stored(index: number, part: Partial<StoredRecording> = {}): StoredRecording {
  return {
    id: idOf(`a${index}`),
    state: 'complete',
    mime_type: 'video/webm;codecs=vp8,opus',
    title:
      ['Interview 12, participant 7', 'Exam hall B, camera 2', 'Lecture 3', 'Consultation, line dropped'][index % 4] ??
      '',
    recorder_id: idOf('1'),
    created_at: new Date(Date.now() - index * 7_700_000 - 3_600_000).toISOString(),
    completed_at: new Date().toISOString(),
    received_chunks: 120,
    received_bytes: 822_000_000 + index * 31_000_000,
    confirmed_bytes: 822_000_000 + index * 31_000_000,
    chunk_count: 120,
    total_bytes: 822_000_000 + index * 31_000_000,
    confirmed_chunks: 120,
    missing_chunks: 0,
    lost_chunks: 0,
    duration_ms: 600_000 + index * 251_000,
    deletion: null,
    share_id: `q2mX0v1uYH3l8r5dQk7${index}`,
    share: { shared: true, expires_at: null },
    ...part,
  };
}

export class FakeBucket implements BucketView {
  list: readonly StoredRecording[] = [];
  status: StoredStatus | null = null;
  chunkList: readonly StoredChunk[] = [];
  /** Chunks of some recordings, in place of `chunkList`. */
  beginnings: ReadonlyMap<string, readonly StoredChunk[]> = new Map();
  problem: Problem | null = null;
  quota: Quota = { limit_bytes: null, used_bytes: 61_400_000, reserved_bytes: 0 };
  never = false;

  async recordings(cursor: string | null): Promise<RecordingPage> {
    await this.#gate();
    const from = Number(cursor ?? 0);
    return {
      recordings: this.list.slice(from, from + 50),
      next_cursor: from + 50 < this.list.length ? String(from + 50) : null,
    };
  }

  async recording(): Promise<StoredStatus> {
    await this.#gate();
    if (!this.status) throw new CallFailed({ code: 'recording_unknown', detail: 'No such recording.', status: 404 });
    return this.status;
  }

  async chunks(id: string, after: number, limit: number): Promise<ChunkPage> {
    await this.#gate();
    const rest = (this.beginnings.get(id) ?? this.chunkList).filter(({ seq }) => seq > after);
    return { chunks: rest.slice(0, limit), next_after: rest.length > limit ? (rest[limit - 1]?.seq ?? null) : null };
  }

  async me() {
    return { owner: 'someone', quota: this.quota };
  }

  async #gate(): Promise<void> {
    if (this.never) await new Promise(() => undefined);
    if (this.problem) throw new CallFailed(this.problem);
  }
}

/** Lists what a scene has, and begins nothing. */
export class FakeDownloadCalls implements DownloadCalls {
  readonly #scene: Scene;

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  async page(cursor: string | null): Promise<DownloadPage> {
    if (this.#scene.downloadsNever) await new Promise(() => undefined);
    const list = this.#scene.downloadList ?? [];
    const from = Number(cursor ?? 0);
    return {
      downloads: list.slice(from, from + 50),
      next_cursor: from + 50 < list.length ? String(from + 50) : null,
    };
  }

  async check(recordings: readonly string[]): Promise<Availabilities> {
    const answers = recordings.map((id, index) => ({
      recording_id: id,
      available: index !== 1,
      chunks: 120,
      bytes: 822_000_000,
      missing: index === 1 ? ([[12, 14]] as [number, number][]) : [],
      problem: index === 1 ? { code: 'chunks_missing', detail: 'The bucket does not hold all of it.' } : null,
    }));
    return { recordings: answers, bytes: answers.reduce((sum, one) => sum + (one.available ? one.bytes : 0), 0) };
  }

  begin(): Promise<Download> {
    return new Promise(() => undefined);
  }

  poll(): Promise<Polled> {
    return new Promise(() => undefined);
  }

  cancel(): Promise<Download> {
    return new Promise(() => undefined);
  }

  address(): Promise<string> {
    return new Promise(() => undefined);
  }

  watch(): Promise<ReadableStream<Uint8Array>> {
    if (this.#scene.downloadsLost)
      return Promise.reject(new CallFailed({ code: 'network', detail: 'The server did not answer.' }));
    return new Promise(() => undefined);
  }
}
