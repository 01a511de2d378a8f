/**
 * A cloned profile went on with a recording that its twin went on with too: the numbers that both gave are bound to the twin's
 * bytes. What this one recorded becomes a recording of its own.
 */
import { sha256Hex } from './digest';
import { Failure } from './failure';
import { endOf, type RecordingFacts, type Seal } from './journal';
import { holdLock, lockNames } from './locks';
import type { Spool } from './spool';
import type { SpoolWriter } from './writer';

/** What tells the copy from the recording it was made of, for whoever sees both in a list. */
const TITLE_SUFFIX = ' (second copy)';

/**
 * Copies these chunks into a new recording, ended, and only then lets go of them in the old one. Answers the new one's id.
 *
 * A death at any point loses nothing: the id follows from what is refiled, so the next try finds what this one left, and a copy that
 * is not whole is never taken for one. The caller holds the old recording's lock. @throws Failure `chunk_damaged`.
 */
export async function refile(spool: Spool, facts: RecordingFacts, seals: readonly Seal[]): Promise<string> {
  for (let attempt = 0; ; attempt += 1) {
    const id = await copyId(facts.id, seals, attempt);
    const lock = await holdLock(lockNames.recording(spool.owner, id), { ifAvailable: true });
    if (!lock) throw new Failure('recording_not_resumable');
    try {
      const found = await spool.load(id);
      if (found && !(found.journal.end && holdsAll(found.journal.seals, seals))) continue; // Cut off: it stays what it is.
      if (!found) {
        await spool.remove(id); // A directory without a journal, from a death between the two.
        await copy(spool, { ...facts, id, title: facts.title + TITLE_SUFFIX }, facts.id, seals);
      }
      await spool.release(facts.id, seals, { to: id });
      return id;
    } finally {
      lock.release();
    }
  }
}

/** A UUIDv7 with the time of the recording, so that both stand together where recordings are listed by birth. */
async function copyId(id: string, seals: readonly Seal[], attempt: number): Promise<string> {
  const said = new TextEncoder().encode(`${id} ${seals[0]?.sha256} ${attempt}`);
  const hash = await sha256Hex(said);
  return `${id.slice(0, 13)}-7${hash.slice(0, 3)}-8${hash.slice(3, 6)}-${hash.slice(6, 18)}`;
}

function holdsAll(copied: readonly Seal[], seals: readonly Seal[]): boolean {
  const digests = new Set(copied.map(({ sha256 }) => sha256));
  return seals.every(({ sha256 }) => digests.has(sha256));
}

async function copy(spool: Spool, facts: RecordingFacts, from: string, seals: readonly Seal[]): Promise<void> {
  const writer = await spool.create({ ...facts, recorderId: spool.recorderId });
  try {
    let segment = -1;
    for (const seal of seals) {
      if (seal.segment !== segment) writer.startSegment();
      segment = seal.segment;
      await copyChunk(spool, writer, from, seal);
    }
    writer.end(endOf(writer.state.seals));
  } finally {
    writer.close();
  }
}

async function copyChunk(spool: Spool, writer: SpoolWriter, from: string, seal: Seal): Promise<void> {
  const bytes = new Uint8Array(await (await spool.chunkFile(from, seal)).arrayBuffer());
  await writer.write(bytes, seal.startMs, seal.startMs + seal.durationMs);
  if ((await writer.seal())?.sha256 !== seal.sha256) throw new Failure('chunk_damaged');
}
