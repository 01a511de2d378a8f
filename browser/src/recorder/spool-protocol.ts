/** What the page and its worker, and the workers of several tabs, say to each other: unions, told apart by `type`. */
import type { Trouble } from './failure';
import type { End, RecordingFacts, Seal } from './journal';
import type {
  ChunkView,
  ConnectionState,
  KeptCopies,
  OverQuota,
  RecordingDeleted,
  StorageReport,
  StorageRoom,
} from './types';

/** A file to upload, as the page hands it over. */
export interface FileBegin {
  /** Its id if it is a new one. */
  id: string;
  file: File;
  handle: FileSystemFileHandle | null;
  title: string;
  mimeType: string | null;
  resume: string | null;
  again: boolean;
}

/** The options that reach the worker, with every default filled in. */
export interface WorkerOptions {
  endpoint: string;
  owner: string | null;
  chunkBytes: number;
  chunkMs: number;
  parallelPuts: number;
  resumeWindowMs: number;
  takeOverMs: number;
  /** Bytes a second; null: no limit. */
  maxUploadBytesPerSecond: number | null;
  fileCopyBytes: number;
  keepReleasedBytes: number;
}

/** What is said of the upload of a file apart from its chunks. */
export interface FileMarks {
  paused: boolean;
  /** It is being compared with what was sent of it. */
  checking: boolean;
  /** Its file has to be chosen again, or asked for. */
  sourceNeeded: boolean;
  /** The browser has a handle to it that a person can allow. */
  reopenable: boolean;
  bytesPerSecond: number | null;
}

/** A recording without its chunks. */
export interface RecordingHead {
  facts: RecordingFacts;
  live: boolean;
  paused: boolean;
  waiting: boolean;
  durationMs: number;
  end: End | null;
  complete: boolean;
  stuck: boolean;
  recovered: boolean;
  problem: Trouble | undefined;
  unwritten: Trouble | undefined;
  file?: FileMarks | undefined;
  bytes: number;
  sentBytes: number;
  safeMs: number;
  chunksOnlyHere: number;
  bytesOnlyHere: number;
}

/** What changed about one recording: its head and only the chunks that differ. */
export interface RecordingDelta {
  id: string;
  gone: boolean;
  head?: RecordingHead;
  chunks: ChunkView[];
}

/** What changed apart from recordings. */
export interface Standing {
  owner: string;
  connection: ConnectionState;
  retryAt: number | null;
  storage: StorageReport;
  room: StorageRoom;
  foreignChunks: number;
  uploadingNow: number;
  uploadRate: number | null;
  uploadLimit: number | null;
  flush: { count: number; p50Ms: number; worstMs: number };
  overQuota: OverQuota | null;
  kept: KeptCopies;
}

export type ToWorker =
  | { type: 'open'; options: WorkerOptions }
  | { type: 'token'; request: number; token: string }
  | { type: 'token_failed'; request: number; reason: string }
  | { type: 'begin'; request: number; id: string; mimeType: string; title: string; resume: boolean }
  | { type: 'slice'; id: string; blob: Blob; startMs: number; endMs: number }
  /** What comes from here on is of the next segment, which begins at `startMs` of recorded time. */
  | { type: 'segment'; id: string; startMs: number }
  | { type: 'paused'; id: string; paused: boolean }
  /** All its devices are gone, and it waits for others. */
  | { type: 'waiting'; id: string; waiting: boolean }
  | { type: 'end'; request: number; id: string }
  /** Upload a file. `resume`: go on with this one; `again`: even if it was uploaded before. */
  | ({ type: 'upload'; request: number } & FileBegin)
  | { type: 'pause_file'; id: string; paused: boolean }
  /** Delete a recording; `localOnly` one that the control plane must not know. */
  | { type: 'delete'; request: number; id: string; localOnly: boolean }
  /** Hand over what is held of a recording. */
  | { type: 'save'; request: number; id: string }
  /** The page gave up waiting for this answer. */
  | { type: 'give_up'; request: number }
  | { type: 'persisted'; persisted: boolean | null }
  | { type: 'retry' }
  | { type: 'limit'; perSecond: number | null }
  | { type: 'online'; online: boolean }
  /** Somebody looks at the page. */
  | { type: 'visible' }
  | { type: 'close'; request: number };

export type FromWorker =
  | { type: 'ready'; owner: string }
  | { type: 'open_failed'; problem: Trouble }
  | { type: 'token_wanted'; request: number }
  | { type: 'began'; request: number; startMs: number }
  /** `already`: it was uploaded before, as this recording. */
  | { type: 'uploading'; request: number; id: string; already: boolean }
  | { type: 'done'; request: number }
  | { type: 'saved'; request: number; files: File[] }
  | { type: 'failed'; request: number; problem: Trouble }
  | { type: 'changes'; recordings: RecordingDelta[]; standing: Standing }
  | { type: 'flushed'; recordingId: string; seq: number; segment: number; bytes: number; flushMs: number }
  | { type: 'chunk'; recordingId: string; chunk: ChunkView }
  | { type: 'recovered'; recordingId: string; chunks: number; bytes: number }
  | { type: 'completed'; recordingId: string }
  | { type: 'over_quota'; quota: OverQuota | null }
  | RecordingDeleted
  | { type: 'problem'; recordingId?: string; problem: Trouble };

/** Between the workers of one owner's tabs. */
export type BetweenTabs =
  /** A tab came up, or took over the uploading: whoever writes or uploads says what it has. */
  | { type: 'who' }
  /** From a writer: all it has sealed so far of a recording it writes. */
  | { type: 'writing'; facts: RecordingFacts; seals: Seal[] }
  | { type: 'sealed'; id: string; seal: Seal }
  | { type: 'ended'; id: string; end: End }
  /** From whoever was given a file: the uploading tab reads from it what is not in OPFS. */
  | { type: 'source'; id: string; file: File }
  | { type: 'source_lost'; id: string; problem: Trouble }
  | { type: 'pause_file'; id: string; paused: boolean }
  /** From the uploader: what its page was told. */
  | { type: 'changes'; recordings: RecordingDelta[]; standing: Standing }
  /** Some tab needed the room that kept copies took: they are gone. */
  | { type: 'kept_freed' }
  /** A recording was deleted: whoever writes or sends it drops it. */
  | { type: 'deleted'; id: string }
  /** Try now: a person asked for it. */
  | { type: 'wake' }
  /** To the uploader: a page limits the bytes a second, or (null) no longer. */
  | { type: 'limit'; perSecond: number | null };
