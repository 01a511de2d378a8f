/** What this device holds of a recording, as files that a person can keep: the way out when the disk takes no more. */
import { Failure } from './failure';
import type { RecordingFacts, Seal } from './journal';
import type { Spool } from './spool';

/** What only the worker that writes a recording has: its open chunk, and what the disk did not take yet. */
export interface Unsealed {
  seals: readonly Seal[];
  /** In order. */
  parts: readonly UnsealedPart[];
}

export interface UnsealedPart {
  segment: number;
  bytes: BlobPart;
}

const EXTENSIONS: Record<string, string> = { 'video/mp4': 'mp4', 'audio/mp4': 'm4a', 'audio/ogg': 'ogg' };

/**
 * One file for each segment of which anything is here, in order: its chunks that were not released, then what is not sealed yet.
 * Chunks are read from disk when the file is read. @throws Failure `recording_not_here`.
 */
export async function heldFiles(spool: Spool, id: string, unsealed: Unsealed | null): Promise<File[]> {
  const found = await spool.load(id);
  if (!found) throw new Failure('recording_not_here');
  const { facts, journal, releases, files } = found;
  const seals = unsealed?.seals ?? journal.seals;
  const held = seals.filter(({ seq }) => files.has(seq) && !releases.released.has(seq));
  const segments = new Set(seals.map(({ segment }) => segment));
  for (const { segment } of unsealed?.parts ?? []) segments.add(segment);
  const saved: File[] = [];
  for (const segment of segments) {
    const chunks = held.filter((seal) => seal.segment === segment);
    const parts: BlobPart[] = [];
    for (const seal of chunks) parts.push(await spool.chunkFile(id, seal));
    for (const part of unsealed?.parts ?? []) if (part.segment === segment) parts.push(part.bytes);
    if (parts.length === 0) continue;
    const ofSegment = seals.filter((seal) => seal.segment === segment);
    saved.push(new File(parts, nameOf(facts, segment, ofSegment.length - chunks.length), { type: facts.mimeType }));
  }
  return saved;
}

/** Says when its beginning is not here: without that it plays nowhere, and belongs to what is in the bucket. */
function nameOf({ id, title, mimeType }: RecordingFacts, segment: number, missing: number): string {
  const name = title.replace(/[^\p{L}\p{N} _-]+/gu, ' ').trim() || 'recording';
  const type = mimeType.split(';')[0] ?? '';
  const rest = missing > 0 ? `, without ${missing} chunks` : '';
  return `${name.slice(0, 80)} ${id.slice(0, 8)}, part ${segment + 1}${rest}.${EXTENSIONS[type] ?? 'webm'}`;
}
