/**
 * The two append-only journals of a recording, as lines of `crc32 json\n`.
 *
 * `journal` is written by the tab that records: what exists. `releases` is written by the tab that uploads: what may be
 * gone. They are two files because a sync access handle is exclusive and these may be two tabs. Only the longest valid
 * prefix of a file counts: a crash can tear the last line, and the next append truncates what was torn.
 */
import { crc32Hex } from './digest';

/** What is fixed when a recording starts. */
export interface RecordingFacts {
  id: string;
  owner: string;
  recorderId: string;
  mimeType: string;
  title: string;
  startedAt: number;
  /** Set for an upload of a file: which one, and how it is cut. */
  file?: FileFacts;
}

/** What is known of a file without reading it, and how large its chunks are (the last one is what is left). */
export interface FileFacts {
  name: string;
  size: number;
  /** Epoch ms, as the file system tells it. */
  lastModified: number;
  chunkBytes: number;
}

/** A chunk that will never change again. Sizes in bytes, times in ms of recorded time. */
export interface Seal {
  seq: number;
  segment: number;
  size: number;
  sha256: string;
  startMs: number;
  durationMs: number;
  /** False for a chunk of a file that was not copied: it is read again from the file. */
  held?: false;
}

/** The open chunk: written down and flushed before its file exists, so that its number is never given twice. */
export interface OpenChunk {
  seq: number;
  segment: number;
  startMs: number;
}

export interface End {
  chunkCount: number;
  totalBytes: number;
}

export type JournalRecord =
  | ({ t: 'recording'; v: 1 } & RecordingFacts)
  | { t: 'segment'; segment: number; startMs: number }
  | ({ t: 'open' } & OpenChunk)
  | ({ t: 'seal' } & Seal)
  | ({ t: 'end' } & End);

export type ReleaseRecord =
  /** `to`: it was not released, but is held under that other recording. `kept`: its file stays for as long as there is room, since then. */
  | { t: 'release'; seq: number; sha256: string; to?: string; kept?: number }
  /** The bucket lost it after its release and asked for it: it is held as if it had never been released. */
  | { t: 'hold'; seq: number }
  /** A completion may have reached the server: from here on the recording must not be resumed. */
  | { t: 'completing' }
  | { t: 'complete' }
  /** A person paused, or resumed, the upload of a file. */
  | { t: 'paused'; paused: boolean }
  /** Its owner deleted the recording: whatever is left of it here goes, now or at the next visit. */
  | { t: 'discard' };

/** What a journal says, replayed. */
export interface JournalState {
  facts: RecordingFacts | null;
  /** By seq, without gaps. */
  seals: Seal[];
  /** Opened and never sealed: what a crash leaves. */
  open: OpenChunk | null;
  nextSeq: number;
  nextSegment: number;
  end: End | null;
}

export interface ReleaseState {
  released: Map<number, string>;
  /** Those of them whose files may still be there, and since when: epoch ms. */
  kept: Map<number, number>;
  /** Chunks of it were filed under another recording: a twin of this profile goes on with this one, and ends it. */
  contested: boolean;
  completing: boolean;
  complete: boolean;
  discarded: boolean;
  paused: boolean;
}

const NEWLINE = 10;
/** Eight hex digits and a space. */
const CRC_LENGTH = 9;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** One record as a line, checksum first. */
export function encodeLine(record: object): Uint8Array<ArrayBuffer> {
  const json = JSON.stringify(record);
  return encoder.encode(`${crc32Hex(encoder.encode(json))} ${json}\n`);
}

/** The records of the longest valid prefix and its length in bytes. */
export function parseLines<T>(bytes: Uint8Array): { records: T[]; validLength: number } {
  const records: T[] = [];
  let start = 0;
  for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
    const record = parseLine<T>(bytes.subarray(start, end));
    if (record === null) break;
    records.push(record);
    start = end + 1;
  }
  return { records, validLength: start };
}

function parseLine<T>(line: Uint8Array): T | null {
  const json = line.subarray(CRC_LENGTH);
  if (json.length === 0 || decoder.decode(line.subarray(0, CRC_LENGTH)) !== `${crc32Hex(json)} `) return null;
  try {
    return JSON.parse(decoder.decode(json)) as T;
  } catch {
    // The checksum fits but it is no JSON: nothing of ours, so the valid prefix ends here.
    return null;
  }
}

/** The state after these records, in order. */
export function replayJournal(records: Iterable<JournalRecord>): JournalState {
  const state: JournalState = { facts: null, seals: [], open: null, nextSeq: 0, nextSegment: 0, end: null };
  for (const record of records) applyRecord(state, record);
  return state;
}

/** Applies one record in place; the writer uses it too, so that memory and disk cannot tell two stories. */
export function applyRecord(state: JournalState, record: JournalRecord): void {
  switch (record.t) {
    case 'recording': {
      const { t: _t, v: _v, ...facts } = record;
      state.facts = facts;
      return;
    }
    case 'segment':
      state.nextSegment = Math.max(state.nextSegment, record.segment + 1);
      state.end = null; // A segment after the end is a resumed recording: it will be ended anew.
      return;
    case 'open':
      state.open = { seq: record.seq, segment: record.segment, startMs: record.startMs };
      return;
    case 'seal': {
      const { t: _t, ...seal } = record;
      state.seals[seal.seq] = seal;
      state.nextSeq = Math.max(state.nextSeq, seal.seq + 1);
      if (state.open?.seq === seal.seq) state.open = null;
      return;
    }
    case 'end':
      state.end = { chunkCount: record.chunkCount, totalBytes: record.totalBytes };
      return;
  }
}

/** The end of a recording that has exactly these chunks. */
export function endOf(seals: readonly Seal[]): End {
  return { chunkCount: seals.length, totalBytes: seals.reduce((sum, seal) => sum + seal.size, 0) };
}

/** Recorded time up to the end of the last sealed chunk, in ms. */
export function sealedMs(seals: readonly Seal[]): number {
  const last = seals.at(-1);
  return last ? last.startMs + last.durationMs : 0;
}

export function replayReleases(records: Iterable<ReleaseRecord>): ReleaseState {
  const state: ReleaseState = {
    released: new Map(),
    kept: new Map(),
    contested: false,
    completing: false,
    complete: false,
    discarded: false,
    paused: false,
  };
  for (const record of records) {
    if (record.t === 'release') {
      state.released.set(record.seq, record.sha256);
      if (record.kept === undefined) state.kept.delete(record.seq);
      else state.kept.set(record.seq, record.kept);
      state.contested ||= record.to !== undefined;
    } else if (record.t === 'hold') {
      state.released.delete(record.seq);
      state.kept.delete(record.seq);
    } else if (record.t === 'completing') state.completing = true;
    else if (record.t === 'complete') state.complete = true;
    else if (record.t === 'discard') state.discarded = true;
    else if (record.t === 'paused') state.paused = record.paused;
  }
  return state;
}
