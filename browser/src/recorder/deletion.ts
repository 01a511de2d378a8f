/** Deleting a recording because its owner said so: the control plane first, then what this device holds. */
import { CallFailed, type ControlPlane } from './control-plane';
import { asProblem, problemOf, type SafereelErrorCode } from './errors';
import type { Problem } from './types';

/** A deletion that did not happen, as a problem of the SDK: nothing was dropped. */
export class NotDeleted extends Error {
  override readonly name = 'NotDeleted';

  constructor(readonly problem: Problem) {
    super(problem.detail);
  }
}

/** Has the control plane delete a recording. Resolves when it has agreed, or had done so before. @throws NotDeleted. */
export async function deleteAtServer(plane: ControlPlane, id: string, signal: AbortSignal): Promise<void> {
  try {
    await plane.delete(id, signal);
  } catch (error) {
    if (isDeletedAlready(error)) return;
    throw notDeleted(error);
  }
}

/** Makes sure that the control plane has no such recording: only its own 404 says so. @throws NotDeleted. */
export async function assertUnknownAtServer(plane: ControlPlane, id: string, signal: AbortSignal): Promise<void> {
  try {
    const { state } = await plane.status(id, signal);
    if (state === 'deleted' || state === 'deleting') return;
  } catch (error) {
    if (isDeletedAlready(error) || isUnknown(error)) return;
    throw notDeleted(error);
  }
  throw new NotDeleted(problemOf('recording_known'));
}

function isDeletedAlready(error: unknown): boolean {
  return error instanceof CallFailed && error.status === 410 && error.problem.code === 'recording_deleted';
}

function isUnknown(error: unknown): boolean {
  return error instanceof CallFailed && error.status === 404 && error.problem.code === 'recording_unknown';
}

function notDeleted(error: unknown): NotDeleted {
  if (!(error instanceof CallFailed)) return new NotDeleted(asProblem(error, 'delete_failed'));
  const code: SafereelErrorCode = isUnknown(error) ? 'recording_unknown' : 'delete_failed';
  const { request_id } = error.problem;
  return new NotDeleted({ ...problemOf(code, error.problem.detail), ...(request_id ? { request_id } : {}) });
}
