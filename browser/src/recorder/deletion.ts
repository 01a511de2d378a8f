/** Deleting a recording because its owner said so: the control plane first, then what this device holds. */
import { CallFailed, type ControlPlane } from './control-plane';
import { Failure } from './failure';

/** Has the control plane delete a recording. Resolves when it has agreed, or had done so before. @throws Failure: then nothing was dropped. */
export async function deleteAtServer(plane: ControlPlane, id: string, signal: AbortSignal): Promise<void> {
  try {
    await plane.delete(id, signal);
  } catch (error) {
    if (isDeletedAlready(error)) return;
    throw notDeleted(error);
  }
}

/** Makes sure that the control plane has no such recording: only its own 404 says so. @throws Failure: then nothing was dropped. */
export async function assertUnknownAtServer(plane: ControlPlane, id: string, signal: AbortSignal): Promise<void> {
  try {
    const { state } = await plane.status(id, signal);
    if (state === 'deleted' || state === 'deleting') return;
  } catch (error) {
    if (isDeletedAlready(error) || isUnknown(error)) return;
    throw notDeleted(error);
  }
  throw new Failure('recording_known');
}

function isDeletedAlready(error: unknown): boolean {
  return error instanceof CallFailed && error.status === 410 && error.problem.code === 'recording_deleted';
}

function isUnknown(error: unknown): boolean {
  return error instanceof CallFailed && error.status === 404 && error.problem.code === 'recording_unknown';
}

function notDeleted(error: unknown): Failure {
  if (error instanceof Failure) return error;
  if (!(error instanceof CallFailed)) return new Failure('delete_failed', error);
  const failure = new Failure(isUnknown(error) ? 'recording_unknown' : 'delete_failed', error.problem.detail);
  failure.requestId = error.problem.request_id;
  return failure;
}
