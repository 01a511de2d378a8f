import type { Problem, Snapshot } from '../recorder/types';

/** A problem as the page shows it: a heading in plain words; `fatal` where recording cannot begin at all. */
export interface ProblemWords {
  heading: string;
  fatal: boolean;
}

const HEADINGS: Record<string, string> = {
  opfs_unavailable: 'This browser cannot keep recordings safe',
  no_browser: 'This is no browser',
  storage_low: 'The space for recordings is nearly used up',
  recording_refiled: 'A second copy of this browser was found',
  recording_not_here: 'Nothing of it is on this device',
  storage_full: 'The space for recordings is used up',
  write_failed: 'The disk did not take a piece of the recording',
  worker_failed: 'The recorder stopped working',
  no_supported_type: 'This browser cannot record this source',
  capture_failed: 'The browser stopped capturing',
  owner_unknown: 'Nobody is signed in',
  owner_changed: 'Somebody else signed in',
  token_unavailable: 'Signed out: nothing is being sent',
  token_missing: 'The server did not take the sign-in',
  token_invalid: 'The server did not take the sign-in',
  token_expired: 'The sign-in has expired',
  scope_missing: 'This sign-in may not send recordings',
  bucket_unreachable: 'The bucket cannot be reached from here',
  bucket_refuses_page: 'The bucket does not let this page in',
  quota_exceeded: 'The space in the bucket is used up',
  chunk_damaged: 'A piece on this device is damaged',
  chunk_vanished: 'A piece is no longer on this device',
  journal_damaged: 'A recording on this device cannot be read',
  releases_failed: 'This device could not free space',
  recovery_failed: 'A recording left here could not be opened',
  recording_deleted: 'The recording was deleted',
  delete_failed: 'The recording was not deleted',
  discard_failed: 'A deleted recording left something here',
  recording_unknown: 'There is no such recording',
  recording_conflict: 'The server has another recording of this name',
  permission_denied: 'The browser did not allow it',
  share_cancelled: 'No screen was chosen',
  no_device: 'No device was found',
  device_busy: 'The device could not be opened',
  source_unsupported: 'This source cannot be recorded here',
  source_ended: 'The recording was ended',
  continue_unsupported: 'This device does not fit the recording',
  recording_ended: 'The recording was ended',
  source_failed: 'The source could not be opened',
  file_empty: 'The file is empty',
  file_type_unsupported: 'Files of this type cannot be uploaded',
  source_changed: 'The file is not what it was',
  source_unreadable: 'The file can no longer be read',
  file_storage_full: 'The disk takes no note of the file',
  recording_not_resumable: 'This upload cannot be gone on with',
  rate_limited: 'The server asks for a pause',
  network: 'The server did not answer',
  storage_unavailable: 'The bucket does not answer',
  download_not_ready: 'The file is still being made',
  download_ended: 'The file is no longer there',
  download_unknown: 'There is no such download',
  too_many_downloads: 'Too many downloads are under way',
  file_refused: 'The bucket did not give the file',
  chunks_missing: 'The bucket does not hold all of it',
  recording_incomplete: 'The recording is not complete yet',
  recording_empty: 'Nothing of it is in the bucket',
  database_unavailable: 'The server cannot look it up now',
};

/** Without these, nothing can be recorded safely in this browser. */
const FATAL = new Set(['opfs_unavailable', 'worker_failed', 'owner_unknown']);

/** The heading for a problem; codes this page does not know get a plain one, and their own detail. */
export function problemWords({ code }: Problem): ProblemWords {
  return { heading: HEADINGS[code] ?? 'Something needs attention', fatal: FATAL.has(code) };
}

/** What the recorder found out about the bucket, while something is wrong with that alone. */
export function bucketProblem({ connection, recordings }: Snapshot): Problem | undefined {
  if (connection !== 'retrying') return undefined;
  return recordings.map(({ problem }) => problem).find((problem) => problem?.code.startsWith('bucket_'));
}
