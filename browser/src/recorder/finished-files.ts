/**
 * Which files were uploaded from this device: a line each beside the recordings, so that the same file is not sent twice.
 *
 * A file is known by its size, the size of its chunks and a digest over their digests, which are there anyway: no pass over
 * a large file is made for this alone unless one of the same size and first chunk was uploaded before.
 */
import { CallFailed, type ControlPlane } from './control-plane';
import { sha256Hex } from './digest';
import { chunkCountOf } from './file-plan';
import type { FileSource } from './file-source';
import type { FileFacts } from './journal';
import type { Spool } from './spool';

const NAME = 'finished-files';

/** An uploaded file; `gone` takes its line back: its recording was deleted. */
export interface FinishedFile {
  id: string;
  size: number;
  chunkBytes: number;
  /** Digest of the first chunk. */
  first: string;
  fingerprint: string;
  gone?: true;
}

/** The digest over the digests of a file's chunks, in order. */
export async function fingerprintOf(digests: readonly string[]): Promise<string> {
  return sha256Hex(new TextEncoder().encode(digests.join('\n')));
}

/** Notes that a file was uploaded. */
export async function noteFinished(spool: Spool, id: string, facts: FileFacts, digests: string[]): Promise<void> {
  const [first] = digests;
  if (first === undefined || digests.length !== chunkCountOf(facts)) return;
  const { size, chunkBytes } = facts;
  const line: FinishedFile = { id, size, chunkBytes, first, fingerprint: await fingerprintOf(digests) };
  await spool.addLine(NAME, line);
}

/** Its recording is no more: the file counts as not uploaded. */
export async function noteGone(spool: Spool, file: FinishedFile): Promise<void> {
  await spool.addLine(NAME, { ...file, gone: true } satisfies FinishedFile);
}

/** Uploads of exactly this file, the newest first. Reads the file only as far as one of them could be it. */
export async function uploadsOf(spool: Spool, source: FileSource, signal: AbortSignal): Promise<FinishedFile[]> {
  const { size, chunkBytes } = source.facts;
  const known = new Map<string, FinishedFile>();
  for (const line of await spool.lines<FinishedFile>(NAME)) {
    if (line.gone) known.delete(line.id);
    else if (line.size === size && line.chunkBytes === chunkBytes) known.set(line.id, line);
  }
  if (known.size === 0) return [];
  const digests: string[] = [await sha256Hex(await source.read(0))];
  const alike = [...known.values()].filter(({ first }) => first === digests[0]);
  if (alike.length === 0) return [];
  for (let seq = 1; seq < chunkCountOf(source.facts); seq += 1) {
    signal.throwIfAborted();
    digests.push(await sha256Hex(await source.read(seq)));
  }
  const fingerprint = await fingerprintOf(digests);
  return alike.filter((line) => line.fingerprint === fingerprint).reverse();
}

/** The recording that exactly this file became, if the control plane has all of it. */
export async function uploadedBefore(
  spool: Spool,
  plane: ControlPlane,
  source: FileSource,
  signal: AbortSignal,
): Promise<string | null> {
  for (const upload of await uploadsOf(spool, source, signal)) {
    const state = await stateOf(plane, upload.id, signal);
    if (state === 'whole') return upload.id;
    if (state === 'gone') await noteGone(spool, upload);
  }
  return null;
}

async function stateOf(plane: ControlPlane, id: string, signal: AbortSignal): Promise<'whole' | 'gone' | 'unknown'> {
  try {
    const { complete, state, lost, missing } = await plane.status(id, signal);
    if (state === 'deleting' || state === 'deleted') return 'gone';
    return complete && lost.length === 0 && missing.length === 0 ? 'whole' : 'unknown';
  } catch (error) {
    const gone = error instanceof CallFailed && (error.status === 404 || error.status === 410);
    return gone ? 'gone' : 'unknown';
  }
}
