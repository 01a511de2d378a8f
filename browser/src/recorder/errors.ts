import { asTrouble, Failure, reasonOf, type Trouble, troubleOf } from './failure';
import type { Problem } from './types';

/**
 * Every error and problem the SDK itself raises, with the sentence a person gets to read: what happened, what is safe,
 * what to do. Codes are stable; problems of the control plane keep the code they came with. These are in the page alone: whatever its
 * worker fails at, it tells by code.
 */
const DETAILS = {
  no_browser:
    'There are no workers here (this is a server, or a very old browser), so nothing can be recorded. Nothing was ' +
    'lost: there is nothing yet.',
  opfs_unavailable:
    'This browser refuses the private file system that recordings are kept in (a private window, or an old browser). ' +
    'Nothing can be recorded safely here: use a normal window of a current browser.',
  storage_low:
    'The room this browser grants on this device is nearly used up. Nothing is lost, and recording goes on for about half a ' +
    'minute or longer. Go online so that chunks can be released, stop, or save the recording to a file.',
  storage_full:
    'The disk space this browser grants is used up. What was written is safe; new slices wait in memory and would be ' +
    'lost if this page closed. Keep the page open, go online so that chunks can be released, free disk space, or save the ' +
    'recording to a file.',
  write_failed:
    'A slice could not be written to disk and waits in memory; it is written as soon as the disk takes it. What was ' +
    'written before is safe. Keep this page open.',
  worker_failed:
    'The worker that writes recordings to disk failed. What was flushed is safe on disk and is sent at the next ' +
    'visit; what was captured since may be lost. Stop the recording and reload the page.',
  no_supported_type: 'This browser can record none of the known formats from this stream. Nothing was recorded.',
  capture_failed:
    'The browser stopped capturing. What was delivered until then is safe on this device and is being sent.',
  continue_unsupported:
    'This device cannot be recorded in the format that the recording began in, so it was not gone on with. Everything until now ' +
    'is safe on this device and is being sent. Choose another device, or stop and begin a new recording.',
  recording_ended: 'This recording was ended, so nothing can follow in it. Everything of it is kept. Begin a new one.',
  owner_unknown:
    'Nobody is signed in and nobody has recorded here before, so it is not known whose recording this would be. ' +
    'Nothing was recorded or changed: sign in and try again.',
  owner_changed:
    'Somebody else signed in. The chunks of the first owner stay on this device untouched and are sent when they sign ' +
    'in again. Reload the page to record as the new owner.',
  token_unavailable:
    'No valid token could be had, so nothing is sent for now. Recording goes on and everything is kept on this ' +
    'device. Sign in again.',
  bucket_unreachable:
    'The bucket does not take uploads from this page, though the control plane answers. Everything is kept on this ' +
    'device and tried again. If it lasts, the operator should check the public address of the bucket and its CORS rules.',
  bucket_refuses_page:
    'The bucket answers, but takes no uploads from this page: most likely its CORS rules do not name this address. Everything is ' +
    'kept on this device and tried again. Whoever runs it should run `safereel doctor`, and `safereel provision` to set the rules.',
  recording_not_resumable:
    'This recording cannot be resumed: it is not on this device, is being recorded elsewhere, or was already ended. ' +
    'Start a new one.',
  recording_not_here: 'This device holds nothing of this recording. Nothing was changed.',
  recording_exists: 'A recording with this id is already on this device. Nothing was changed.',
  recording_refiled:
    'A copy of this browser profile went on with the same recording on another device. What was recorded here was filed as ' +
    'a recording of its own, marked as second copy. Nothing is lost, and nothing is to be done.',
  chunk_damaged:
    'A chunk on this device no longer has the bytes that were flushed, so it is not sent. The other chunks are safe ' +
    'and are sent. Keep this device as it is and tell the operator.',
  chunk_vanished:
    'A chunk is no longer on this device although nobody released it (the browser evicted it, or site data was ' +
    'cleared). The other chunks are safe and are sent.',
  journal_damaged:
    'The journal of a recording on this device cannot be read, so its chunks cannot be sent. They are kept. Do not ' +
    'clear site data and tell the operator.',
  releases_failed:
    'Chunks that were safely stored could not be deleted from this device. Nothing is lost; it is tried again.',
  discard_failed:
    'A recording that was deleted could not be removed from this device altogether. It is not sent any more; what is ' +
    'left of it is removed at the next visit.',
  recovery_failed:
    'A recording left on this device could not be opened. Its chunks are kept, and it is tried again at the next visit.',
  recording_deleted: 'The owner deleted this recording. Its chunks were removed from this device.',
  delete_failed:
    'The recording was not deleted: the server did not agree to it. Nothing was removed, neither in the bucket nor on ' +
    'this device. Try again.',
  recording_unknown: 'The server has no such recording, so there is nothing to delete there. Nothing was removed.',
  recording_known:
    'The server knows this recording, so it is not on this device alone. Nothing was removed: delete it instead.',
  unexpected: 'Something unforeseen failed. What was flushed is safe on this device. Reload the page when convenient.',
  file_empty: 'This file is empty, so there is nothing to upload. Nothing was noted or sent.',
  file_type_unsupported:
    'Files of this type cannot be uploaded. WebM, MP4, Matroska and Ogg can: .webm, .weba, .mp4, .m4v, .m4a, .mkv, .ogg, ' +
    '.oga, .opus. Nothing was noted or sent.',
  source_changed:
    'The file is not what it was when its upload began: it was changed, or another one was chosen. Nothing of the new ' +
    'content is mixed with what was sent. Choose the file as it was, or cancel this upload and upload the new one.',
  source_unreadable:
    'The file can no longer be read: it was moved or removed, or its drive is gone. What was sent is kept. Choose the ' +
    'file again to go on.',
  file_storage_full:
    'The disk takes not even a note about the next chunk of this file, so its upload waits. It goes on by itself when ' +
    'there is room; the file itself is untouched.',
  closed: 'This recorder was closed. What was flushed is safe on this device and is sent at the next visit.',
} as const;

export type SafereelErrorCode = keyof typeof DETAILS;

/** An error of the SDK: `code` is stable, `message` says what is safe, what is not and what to do. */
export class SafereelError extends Failure {
  override readonly name = 'SafereelError';

  constructor(code: SafereelErrorCode, cause?: unknown) {
    super(code, cause);
    this.message = sentenceOf(code, cause === undefined ? '' : reasonOf(cause));
  }

  /** The same in the shape of a problem document. */
  get problem(): Problem {
    const { code, message: detail, requestId } = this;
    return requestId ? { code, detail, request_id: requestId } : { code, detail };
  }
}

function sentenceOf(code: SafereelErrorCode, reason: string): string {
  return reason === '' ? DETAILS[code] : `${DETAILS[code]} (${reason})`;
}

/** What a worker told, in words. */
export function worded(trouble: Trouble): Problem {
  if (!('reason' in trouble)) return trouble;
  const { reason, ...problem } = trouble;
  return { ...problem, detail: sentenceOf(problem.code, reason) };
}

/** The problem document for one of the SDK's own codes. */
export function problemOf(code: SafereelErrorCode, cause?: unknown): Problem {
  return worded(troubleOf(code, cause));
}

/** Any thrown value as a problem document: the SDK's own keep their code, others become `fallback`. */
export function asProblem(error: unknown, fallback: SafereelErrorCode): Problem {
  return error instanceof SafereelError ? error.problem : worded(asTrouble(error, fallback));
}

/** A `SafereelError` rebuilt from what a worker told: errors lose their class in `postMessage`. */
export function errorFrom(trouble: Trouble): SafereelError {
  const problem = worded(trouble);
  const code = problem.code in DETAILS ? (problem.code as SafereelErrorCode) : 'unexpected';
  const error = new SafereelError(code);
  error.message = problem.detail;
  error.requestId = problem.request_id;
  return error;
}
