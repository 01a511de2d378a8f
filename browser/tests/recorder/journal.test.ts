import { expect, test } from 'vitest';
import {
  encodeLine,
  type JournalRecord,
  parseLines,
  type RecordingFacts,
  replayJournal,
  replayReleases,
} from '../../src/recorder/journal';

const FACTS: RecordingFacts = {
  id: '0192f0c0-0000-7000-8000-000000000001',
  owner: 'søren\n😀',
  recorderId: 'r',
  mimeType: 'video/webm',
  title: 'Room "4"',
  startedAt: 1,
};

const seal = (seq: number, segment = 0): JournalRecord => ({
  t: 'seal',
  seq,
  segment,
  size: 10,
  sha256: 'ab',
  startMs: seq * 100,
  durationMs: 100,
});

const RECORDS: JournalRecord[] = [
  { t: 'recording', v: 1, ...FACTS },
  { t: 'segment', segment: 0, startMs: 0 },
  { t: 'open', seq: 0, segment: 0, startMs: 0 },
  seal(0),
  { t: 'open', seq: 1, segment: 0, startMs: 100 },
];

function join(records: object[]): Uint8Array {
  return Uint8Array.from(records.flatMap((record) => [...encodeLine(record)]));
}

test('what was written is read', () => {
  const bytes = join(RECORDS);
  expect(parseLines(bytes)).toEqual({ records: RECORDS, validLength: bytes.length });
});

test('cut anywhere, the whole lines before the cut count and nothing else', () => {
  const bytes = join(RECORDS);
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    const { records, validLength } = parseLines<JournalRecord>(bytes.subarray(0, cut));
    expect(records).toEqual(RECORDS.slice(0, records.length));
    expect(validLength).toBe(join(records).length);
    expect(validLength).toBeLessThanOrEqual(cut);
  }
});

test('one flipped bit ends the valid prefix at the line before', () => {
  const bytes = join(RECORDS);
  for (let at = 0; at < bytes.length; at += 1) {
    const damaged = bytes.slice();
    damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8));
    const { records, validLength } = parseLines<JournalRecord>(damaged);
    expect(records).toEqual(RECORDS.slice(0, records.length));
    expect(validLength).toBeLessThanOrEqual(at);
  }
});

test('appending after the valid prefix heals a torn tail', () => {
  const bytes = join(RECORDS);
  const { validLength } = parseLines(bytes.subarray(0, bytes.length - 3));
  const healed = Uint8Array.from([...bytes.subarray(0, validLength), ...encodeLine(seal(1))]);
  expect(parseLines(healed).records).toEqual([...RECORDS.slice(0, -1), seal(1)]);
});

test('replay: the open chunk is what was opened and not sealed', () => {
  const state = replayJournal(RECORDS);
  expect(state.facts).toEqual(FACTS);
  expect(state.open).toEqual({ seq: 1, segment: 0, startMs: 100 });
  expect(state.nextSeq).toBe(1);
  expect(state.nextSegment).toBe(1);
  expect(replayJournal([...RECORDS, seal(1)]).open).toBeNull();
});

test('replay: a segment after the end takes the end back', () => {
  const ended: JournalRecord[] = [...RECORDS, seal(1), { t: 'end', chunkCount: 2, totalBytes: 20 }];
  expect(replayJournal(ended).end).toEqual({ chunkCount: 2, totalBytes: 20 });
  const resumed = replayJournal([...ended, { t: 'segment', segment: 1, startMs: 200 }]);
  expect(resumed.end).toBeNull();
  expect(resumed.nextSegment).toBe(2);
  expect(resumed.nextSeq).toBe(2);
});

test('releases: repeated ones count once', () => {
  const state = replayReleases([
    { t: 'release', seq: 0, sha256: 'a' },
    { t: 'release', seq: 0, sha256: 'a' },
    { t: 'completing' },
  ]);
  expect(state).toMatchObject({ released: new Map([[0, 'a']]), completing: true, complete: false, discarded: false });
});
