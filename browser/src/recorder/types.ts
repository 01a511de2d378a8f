/**
 * The public types of the recorder SDK: what an embedding page hands in, and what it is told.
 *
 * All times are milliseconds since the epoch on this device's clock (they are for display only: no decision rests on
 * them), all sizes are bytes, all digests lower-case hex SHA-256.
 */

/** What `createSafereel` needs. Only `endpoint` and `getToken` are required. */
export interface SafereelOptions {
  /** Origin of the control plane, for example `https://safereel.example.com`. Empty: the page's own origin. */
  endpoint: string;
  /** Answers a bearer token for the person signed in. Called again when a token was refused. */
  getToken: () => Promise<string>;
  /** Whom the token speaks for. Left out: read from the token's `sub`. Spools of other owners are never touched. */
  owner?: string;
  /** A chunk is sealed when it reaches this size. Default 5 MiB: the smallest part S3 joins without copying. */
  chunkBytes?: number;
  /** A chunk is sealed when it is this old. Default 5,000 ms: what a lost device can cost at most. */
  chunkMs?: number;
  /** How often MediaRecorder hands over a slice. Default 500 ms (2,000 ms in Safari, which emits empty ones below). */
  sliceMs?: number;
  /** At most so many PUTs under way at once; how many there are follows the line. Default and most: 6. */
  parallelPuts?: number;
  /**
   * One tab uploads for all of an origin. When it dies another takes over at once; when it hangs, after it said nothing for so
   * long. Default 120,000 ms: browsers make the timers of hidden pages wait for up to a minute.
   */
  takeOverMs?: number;
  /** Uploading keeps to so many bytes a second on average. Left out: no limit. See `Safereel.limitUploads`. */
  maxUploadBytesPerSecond?: number;
  /**
   * How many bytes of all files being uploaded are copied to this device, so that a reload can go on without them.
   * Default 256 MiB; 0: none, files are read again when they are sent.
   */
  fileCopyBytes?: number;
  /**
   * How many bytes of released chunks stay on this device at most, as spare copies that are sent again if the bucket loses what it
   * had confirmed. Only while room is plentiful: never more than a twentieth of the quota and a tenth of what is free, and they go
   * before anybody is told that room is low. Default 256 MiB; 0: none, a chunk is deleted when it is released.
   */
  keepReleasedBytes?: number;
  /**
   * How long a recording found unfinished is left open, so that the page can go on with it (`RecordOptions.resume`),
   * before it is ended with what it has. Its chunks are sent meanwhile. Default 0: ended at once.
   */
  resumeWindowMs?: number;
  /**
   * Where the worker's script is. Left out: beside this module, where bundlers find it by themselves. It has to be on the page's
   * own origin, so name it when the SDK itself comes from another one.
   */
  workerUrl?: string | URL;
}

/** Stops waiting when `signal` aborts, rejecting with its reason; what was begun goes on. */
export interface WaitOptions {
  signal?: AbortSignal | undefined;
}

export interface RecordOptions {
  title?: string;
  /** A type MediaRecorder supports. Left out: the first of a list that this browser supports. */
  mimeType?: string;
  videoBitsPerSecond?: number;
  audioBitsPerSecond?: number;
  /** Gives up starting; a recording that has started is ended by `stop()`. */
  signal?: AbortSignal;
  /**
   * Id of an unfinished recording on this device to go on with, as its next segment. Rejects with
   * `recording_not_resumable` when it was ended or another tab records it. See `SafereelOptions.resumeWindowMs`.
   */
  resume?: string;
  /**
   * What to do when the last track of the stream has ended (microphone and camera unplugged, a share stopped): `wait` for
   * `Recording.continueWith` or `stop()`, or `end` the recording. Default `wait`: what is plugged in again can go on in it.
   */
  whenSourceEnds?: 'wait' | 'end';
}

export type TrackKind = 'audio' | 'video';

/**
 * The life of a chunk as this device sees it.
 *
 * `writing` slices are being appended and flushed; `on_disk` sealed in OPFS, digest known; `uploading` a PUT is under
 * way; `in_bucket` the bucket took it; `acked` the control plane proved it by HEAD; `confirmed` a sweep saw it again;
 * `released` not needed on this device any more, and deleted or kept as a spare copy; `resending` the bucket lost it and it is being sent again.
 */
export type ChunkState =
  | 'writing'
  | 'on_disk'
  | 'uploading'
  | 'in_bucket'
  | 'acked'
  | 'confirmed'
  | 'released'
  | 'resending';

export interface ChunkView {
  seq: number;
  segment: number;
  state: ChunkState;
  size: number;
  /** Empty while the chunk is `writing`. */
  sha256: string;
  /** Where this chunk begins in the recording, in recorded time (pauses left out). */
  startMs: number;
  /** How much recorded time it covers. Approximate: slices are cut at `dataavailable`. */
  durationMs: number;
  /** When each state was first reached. */
  times: Partial<Record<ChunkState, number>>;
  /** How often it was sent again after the bucket lost it. */
  resent: number;
  /** False for a chunk of a file that was not copied to OPFS: it is read again from the file. */
  held?: false;
}

/**
 * `recording` and `paused`: a MediaRecorder of this tab, or another, runs. `waiting`: all its devices are gone, and it goes on with
 * `Recording.continueWith`. `sending`: no more chunks come, some are on their way.
 * `complete`: finalised by the control plane. `stuck`: the control plane refuses it for good (see `problem`); its
 * chunks stay on this device.
 */
export type RecordingState = 'recording' | 'paused' | 'waiting' | 'sending' | 'complete' | 'stuck';

export interface RecordingView {
  id: string;
  title: string;
  mimeType: string;
  state: RecordingState;
  startedAt: number;
  /** Recorded time so far, pauses left out. */
  durationMs: number;
  bytes: number;
  chunks: readonly ChunkView[];
  /** Recorded time from the start up to the first chunk that is not confirmed (or released): the promise. */
  safeMs: number;
  /** Sealed or being written here, and not yet known to be confirmed. */
  chunksOnlyHere: number;
  bytesOnlyHere: number;
  /** True when found on this device after a crash or a closed tab, until everything was released. */
  recovered: boolean;
  /** How the upload of a file goes; left out for what is recorded. Then `state` is `sending`, `complete` or `stuck`. */
  file?: FileProgress;
  problem?: Problem;
  /** Set while slices of it wait in memory, since the disk does not take them: `storage_full` or `write_failed`. */
  unwritten?: Problem;
}

/**
 * `checking`: read again and compared with what was sent of it. `source_needed`: the file must be chosen again (see the
 * recording's `problem` for why, if anything failed); what is held here is sent meanwhile.
 */
export type FileState = 'checking' | 'sending' | 'paused' | 'source_needed' | 'complete' | 'stuck';

export interface FileProgress {
  state: FileState;
  name: string;
  /** Epoch ms, as the file system tells it. */
  lastModified: number;
  totalBytes: number;
  /** Bytes of chunks that the bucket took. */
  sentBytes: number;
  /** Over the last seconds; null until known, and while nothing is being sent. */
  bytesPerSecond: number | null;
  timeLeftMs: number | null;
  /** In `source_needed`: `reopen()` can ask the browser for the file; else it has to be chosen again. */
  reopenable: boolean;
}

export interface UploadFileOptions {
  /** Left out: the file's name. */
  title?: string;
  /** Left out: by the file's own type, else by its name. */
  mimeType?: string;
  /** What `showOpenFilePicker` or a drop gave: kept, so that a reload can go on without the file being chosen again. */
  handle?: FileSystemFileHandle;
  /** Id of an unfinished upload to go on with: this must be the same file, else it rejects with `source_changed`. */
  resume?: string;
  /** Upload it even if it was uploaded from here before. */
  again?: boolean;
  /** Gives up starting; an upload that has started is ended by `cancel()`. */
  signal?: AbortSignal;
}

/** The upload of one file, from any tab of this browser. */
export interface FileUpload {
  /** The recording that it becomes. */
  readonly id: string;
  /** This very file was uploaded from here before and is in the bucket: nothing was sent, `id` is that recording. */
  readonly already: boolean;
  /** Null for one that this device has no more to do with. */
  progress(): FileProgress | null;
  /** No further chunk is sent until `resume()`, also after a reload. What is under way arrives. */
  pause(): void;
  resume(): void;
  /**
   * Asks the browser for the file after a reload; call it in a click. Answers false when the file has to be chosen again
   * (`uploadFile` with `resume`). Rejects with `source_changed` or `source_unreadable`.
   */
  reopen(): Promise<boolean>;
  /** Deletes what was sent and what is here. Rejects like `Safereel.delete`, and then nothing was dropped. */
  cancel(options?: { signal?: AbortSignal }): Promise<void>;
  /** Resolves when the control plane has finalised it; rejects with the signal's reason, or `recording_deleted`. */
  completed(signal?: AbortSignal): Promise<void>;
}

/** A problem document of the control plane, or one of the SDK's own in the same shape. */
export interface Problem {
  /** Stable; see docs/protocol.md and `errors.ts`. */
  code: string;
  /** For a person: what happened, what is safe, what to do. */
  detail: string;
  status?: number;
  /** By which support finds the request in the server's logs. */
  request_id?: string;
}

/**
 * The owner's share of the bucket is used up: recording goes on, what is new is held on this device and asked for again by
 * itself. Bytes; null where the control plane did not tell.
 */
export interface OverQuota {
  usedBytes: number | null;
  reservedBytes: number | null;
  limitBytes: number | null;
  /** Sealed chunks on this device that wait for room, and their bytes. */
  waitingChunks: number;
  waitingBytes: number;
}

/** What the browser tells of this origin's storage, in bytes; null where it does not tell, or tells what cannot be true. */
export interface StorageReport {
  persisted: boolean | null;
  usage: number | null;
  quota: number | null;
}

/** How long the browser's storage lasts, as far as it tells; null where it does not. */
export interface StorageRoom {
  bytesLeft: number | null;
  /** At the rate of what is being recorded; null while nothing is. */
  msLeft: number | null;
  /** The person should act: stop, go online, make room, or save to a file. Nothing is lost yet. */
  low: boolean;
}

export type ConnectionState = 'online' | 'retrying' | 'offline';

/** Everything a page shows, as one immutable value: a new object whenever anything in it changed. */
export interface Snapshot {
  ready: boolean;
  owner: string;
  connection: ConnectionState;
  /** Epoch ms of the next try while `connection` is not `online`. */
  retryAt: number | null;
  storage: StorageReport;
  room: StorageRoom;
  /** Newest first: those with work on this device, and those of this visit. */
  recordings: readonly RecordingView[];
  /** Of recordings; files that are being uploaded are not counted. */
  chunksOnlyHere: number;
  bytesOnlyHere: number;
  /** Chunks on this device that belong to other owners: held, never sent by this one. */
  foreignChunks: number;
  uploadingNow: number;
  /** Bytes a second over the last seconds; null until known. */
  uploadRate: number | null;
  /** Bytes a second that uploading keeps to; null: no limit. */
  uploadLimit: number | null;
  /** Write and flush of a slice, over this visit. */
  flush: { count: number; p50Ms: number; worstMs: number };
  /** Set while the control plane takes nothing new for want of room; null when it does. */
  overQuota: OverQuota | null;
  /** Released chunks that are still on this device while there is room: counted nowhere else. */
  kept: KeptCopies;
}

/** Spare copies of what the bucket holds, of the owner who is signed in. */
export interface KeptCopies {
  chunks: number;
  bytes: number;
}

/** What happened, for those who log or measure. A page that only shows things needs `snapshot` alone. */
export type SafereelEvent =
  | { type: 'snapshot'; snapshot: Snapshot }
  | { type: 'flushed'; recordingId: string; seq: number; segment: number; bytes: number; flushMs: number }
  | { type: 'chunk'; recordingId: string; chunk: ChunkView }
  | { type: 'recovered'; recordingId: string; chunks: number; bytes: number }
  | { type: 'completed'; recordingId: string }
  | SourceEnded
  /** How an upload goes changed: its state, what was sent, its speed. */
  | { type: 'file_progress'; recordingId: string; progress: FileProgress }
  /** The quota began to hold chunks back, with new figures, or (null) no longer does. */
  | { type: 'over_quota'; quota: OverQuota | null }
  | RecordingDeleted
  | { type: 'problem'; recordingId?: string; problem: Problem };

/** A track of what is being recorded ended: the microphone or camera is gone, or was taken away. Nothing that it gave is lost. */
export interface SourceEnded {
  type: 'source_ended';
  recordingId: string;
  kind: TrackKind;
  /** What goes on being recorded, with silence or a black picture for the rest. Empty: the recording waits, or ends. */
  left: readonly TrackKind[];
}

/** Its owner, or a retention setting, had it deleted: what this device held of it is gone. */
export interface RecordingDeleted {
  type: 'deleted';
  recordingId: string;
  title: string;
  /** Recorded time until then, as far as it was written to this device. */
  durationMs: number;
  /** It was being recorded on this device, which stopped. */
  wasRecording: boolean;
  /** Asked for by `delete` or `discardLocal` in this tab; else it happened elsewhere. */
  requested: boolean;
}

/** One recording under way in this tab. */
export interface Recording {
  readonly id: string;
  pause(): void;
  resume(): void;
  /**
   * Goes on with another stream, as the next segment of this recording: after a device went away, or to change it. Times go on: the
   * time in which nothing came is a gap. What `stream` lacks of the kinds of tracks that the recording began with is filled by
   * silence or a black picture. The old stream is yours to close once this resolves.
   * Rejects with `continue_unsupported` (then nothing changed), `recording_ended` or `capture_failed`.
   */
  continueWith(stream: MediaStream): Promise<void>;
  /** Ends capture; resolves once the last slice is sealed on disk. Sending goes on by itself, also at the next visit. */
  stop(options?: WaitOptions): Promise<void>;
  /** The same as `Safereel.saveToFiles` for this recording: with what is not sealed yet, and what waits in memory. */
  saveToFiles(options?: WaitOptions): Promise<File[]>;
  /** Resolves when the control plane has finalised the recording; rejects with the signal's reason, or `recording_deleted`. */
  completed(signal?: AbortSignal): Promise<void>;
}

export interface Safereel {
  /** The present state; the same object until something changes (fits React's `useSyncExternalStore`). */
  snapshot(): Snapshot;
  /** Calls `listener` for every event; the answer ends that. */
  subscribe(listener: (event: SafereelEvent) => void): () => void;
  /** Resolves once OPFS was probed, leftovers were found and the worker runs; rejects with a `SafereelError`. */
  ready(options?: WaitOptions): Promise<void>;
  record(stream: MediaStream, options?: RecordOptions): Promise<Recording>;
  /**
   * Uploads a file the way recordings go. Resolves once it is noted on this device; a file whose upload is under way or
   * interrupted here goes on where it is, one that was uploaded before is only named (`already`).
   * Rejects with `file_empty`, `file_type_unsupported`, `source_unreadable`, `source_changed` or `recording_not_resumable`.
   */
  uploadFile(file: File, options?: UploadFileOptions): Promise<FileUpload>;
  /** The upload with this id, for example one that an earlier visit left. */
  fileUpload(recordingId: string): FileUpload;
  /**
   * Deletes a recording for good: first in the bucket, then on this device; one that is being recorded is stopped. Until the
   * control plane has agreed, nothing is dropped: rejects with `delete_failed`, or with `recording_unknown` when the control
   * plane has no such recording (`discardLocal` is for those), or with the signal's reason.
   */
  delete(recordingId: string, options?: WaitOptions): Promise<void>;
  /**
   * Throws away a recording that exists on this device alone, which no other copy can bring back: ask the person before.
   * Rejects with `recording_known` when the control plane has it, `delete_failed` when that could not be looked up; then
   * nothing was dropped.
   */
  discardLocal(recordingId: string, options?: WaitOptions): Promise<void>;
  /**
   * What this device holds of a recording, one file for each segment, to be offered for download: the way out when the disk is full
   * or nothing can be sent. Sending goes on as ever. Read the files soon: they read from disk what may be released meanwhile.
   * Rejects with `recording_not_here`.
   */
  saveToFiles(recordingId: string, options?: WaitOptions): Promise<File[]>;
  /**
   * Asks the browser again to keep what is on this device when room runs out; `createSafereel` asked once. Call it in a click: Firefox
   * asks the person then. Answers what `snapshot().storage.persisted` is from then on; null where this browser does not tell.
   */
  persist(): Promise<boolean | null>;
  /** Tries now instead of waiting for the backoff; a wait that the server asked for is kept. */
  retryNow(): void;
  /**
   * Limits uploading to so many bytes a second on average, for all tabs of this origin, or (null) no longer. Each chunk goes out
   * as fast as the line allows; then the line rests. Recording is not touched by it.
   * @throws RangeError for anything but null and numbers above 0.
   */
  limitUploads(bytesPerSecond: number | null): void;
  /** Ends the worker. Recordings under way are stopped first; nothing on disk is lost. */
  close(options?: WaitOptions): Promise<void>;
}
