/** Removes from disk what was deleted, under the lock of its recording: never beside somebody who writes it. */
import { type HeldLock, holdLock, lockNames } from './locks';
import type { Spool } from './spool';

/** Answers false, with nothing done, when somebody holds the recording. */
export async function dropIfFree(spool: Spool, id: string): Promise<boolean> {
  const lock = await holdLock(lockNames.recording(spool.owner, id), { ifAvailable: true });
  if (!lock) return false;
  await dropUnder(lock, spool, id);
  return true;
}

/** Waits until nobody holds the recording. @throws the signal's reason when that aborts first. */
export async function dropWhenFree(
  spool: Spool,
  id: string,
  signal: AbortSignal,
  inTurn: (work: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const lock = await holdLock(lockNames.recording(spool.owner, id), { signal });
  if (lock) await inTurn(() => dropUnder(lock, spool, id));
}

async function dropUnder(lock: HeldLock, spool: Spool, id: string): Promise<void> {
  try {
    await spool.discard(id);
  } finally {
    lock.release();
  }
}
