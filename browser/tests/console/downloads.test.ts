import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CallFailed } from '../../src/console/api-calls';
import type { Download } from '../../src/console/downloads/download-calls';
import {
  askWords,
  detailOf,
  nameOf,
  shortfallWords,
  spokenOf,
  stateOf,
  whyNotWords,
} from '../../src/console/downloads/download-words';
import { EventStreamParser } from '../../src/console/downloads/event-stream';
import { latestOf, merged, successorOf } from '../../src/console/downloads/listing';
import {
  BROKEN_TIMES,
  FIRST_WORD_MS,
  NewsLine,
  POLLING_MS,
  SILENCE_MS,
  StreamUnfit,
} from '../../src/console/downloads/news-line';
import { leftWords, paceOf, type Sample, sampled, timeLeftMs } from '../../src/console/downloads/pace';
import { chosenOf } from '../../src/console/downloads/several';
import { selectedOf, toggledAll, whyNotSelectable } from '../../src/console/library/selecting';
import type { LibraryRow } from '../../src/console/library-rows';

const NOW = Date.parse('2026-11-02T10:00:00Z');

function download(part: Partial<Download> = {}): Download {
  return {
    id: 'd1',
    state: 'running',
    waiting_for: null,
    version: 1,
    recordings: [{ id: 'r1', title: 'Room 4' }],
    allow_gaps: false,
    gaps: [],
    bytes_done: 0,
    bytes_total: 200_000_000,
    percent: 0,
    created_at: '2026-11-02T09:59:00Z',
    started_at: null,
    finished_at: null,
    expires_at: null,
    problem: null,
    file: null,
    webhook: null,
    ...part,
  };
}

describe('a stream of events', () => {
  const TEXT =
    'retry: 2000\n\n: still here\n\nid: 7\nevent: download\ndata: {"a":1}\n\nid: 8\ndata: one\ndata: two\n\n';
  const EVENTS = [
    { name: 'download', data: '{"a":1}', id: '7' },
    { name: 'message', data: 'one\ntwo', id: '8' },
  ];

  it.each(['\n', '\r\n', '\r'])('is the same however it is split, with line ends %j', (end) => {
    const text = TEXT.replaceAll('\n', end);
    for (let at = 1; at < text.length; at += 1) {
      const parser = new EventStreamParser();
      // A CR at the very end may be half of a line's end: the next piece tells.
      const events = [text.slice(0, at), text.slice(at), ': more\n'].flatMap((piece) => parser.push(piece));
      expect(events).toEqual(EVENTS);
      expect(parser.retryMs).toBe(2000);
    }
  });

  it('gives nothing for what is not whole, and takes no nonsense for a time', () => {
    const parser = new EventStreamParser();
    expect(parser.push('retry: soon\nevent: download\ndata: {"a":')).toEqual([]);
    expect(parser.push('1}\n')).toEqual([]);
    expect(parser.push('\n')).toEqual([{ name: 'download', data: '{"a":1}', id: '' }]);
    expect(parser.retryMs).toBeNull();
  });
});

describe('the line of news', () => {
  beforeEach(() => void vi.useFakeTimers({ now: NOW }));
  afterEach(() => void vi.useRealTimers());

  /** A server whose streams the test speaks for. */
  function server() {
    const streams: { say: (text: string) => void; end: () => void }[] = [];
    const told = { heard: [] as string[], polls: 0, answer: 'stream' as 'stream' | 'silence' | 'refuse' | 'unfit' };
    const open = (signal: AbortSignal) => {
      if (told.answer === 'refuse')
        return Promise.reject(new CallFailed({ code: 'network', detail: 'The server did not answer.' }));
      if (told.answer === 'unfit') return Promise.reject(new StreamUnfit('A page.'));
      if (told.answer === 'silence')
        return new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      return Promise.resolve(
        new ReadableStream<Uint8Array>({
          start(controller) {
            streams.push({
              say: (text) => controller.enqueue(new TextEncoder().encode(text)),
              end: () => controller.close(),
            });
          },
        }),
      );
    };
    const poll = async () => {
      told.polls += 1;
      return 2_000;
    };
    const line = new NewsLine({ open, hear: ({ data }) => told.heard.push(data), poll, random: () => 0.5 });
    return { line, streams, told };
  }
  const passes = (ms: number) => vi.advanceTimersByTimeAsync(ms);

  it('hears as it happens, and comes again when the stream ends', async () => {
    const { line, streams, told } = server();
    line.want(true);
    await passes(0);
    expect(line.state.get()).toBe('connecting');
    streams[0]?.say('retry: 3000\n\n');
    streams[0]?.say('data: on');
    streams[0]?.say('e\n\n');
    await passes(6_000);
    expect([line.state.get(), told.heard]).toEqual(['live', ['one']]);
    streams[0]?.end();
    await passes(2_900);
    expect(streams).toHaveLength(1);
    await passes(200);
    expect(streams).toHaveLength(2);
    line.want(false);
    expect(line.state.get()).toBe('resting');
  });

  it('leaves a line that went silent, as after sleep', async () => {
    const { line, streams } = server();
    line.want(true);
    await passes(0);
    streams[0]?.say(': still here\n\n');
    await passes(SILENCE_MS - 1_000);
    streams[0]?.say(': still here\n\n');
    await passes(SILENCE_MS - 1_000);
    expect(streams).toHaveLength(1);
    await passes(4_000);
    expect(streams).toHaveLength(2);
    line.want(false);
  });

  it('waits longer from failure to failure, and not at all once somebody is back', async () => {
    const { line, streams, told } = server();
    told.answer = 'refuse';
    line.want(true);
    await passes(60_000);
    expect(line.state.get()).toBe('lost');
    told.answer = 'stream';
    line.nudge();
    await passes(0);
    expect(streams).toHaveLength(1);
    streams[0]?.say(': hello\n\n');
    await passes(0);
    expect(line.state.get()).toBe('live');
    line.want(false);
  });

  it.each(['silence', 'unfit'] as const)(
    'polls where a proxy makes %s of it, and tries a stream again later',
    async (answer) => {
      const { line, streams, told } = server();
      told.answer = answer;
      line.want(true);
      await passes(BROKEN_TIMES * (FIRST_WORD_MS + 3_000));
      expect(line.state.get()).toBe('polling');
      const before = told.polls;
      await passes(20_000);
      expect(told.polls - before).toBe(10);
      told.answer = 'stream';
      await passes(POLLING_MS);
      expect(streams).toHaveLength(1);
      line.want(false);
    },
  );
});

describe('the pace', () => {
  const run = (...points: [number, number][]): readonly Sample[] =>
    points.reduce<readonly Sample[]>((before, [atMs, bytes]) => sampled(before, { atMs, bytes }), []);

  it('is that of the last twenty seconds, and unknown at first', () => {
    expect(paceOf(run([0, 0]))).toBeNull();
    expect(paceOf(run([0, 0], [1_000, 5_000]))).toBeNull();
    expect(paceOf(run([0, 0], [5_000, 5_000]))).toBe(1_000);
    expect(paceOf(run([0, 0], [30_000, 9_000], [40_000, 19_000]))).toBe(1_000);
    expect(paceOf(run([0, 9_000], [5_000, 9_000]))).toBeNull();
    expect(paceOf(run([0, 0], [5_000, 5_000], [6_000, 1_000]))).toBeNull();
  });

  it.each([
    [null, ''],
    [3_000, 'a few seconds left'],
    [41_000, 'about 50 seconds left'],
    [100_000, 'about 2 minutes left'],
    [3_600_000, 'about 1 hour left'],
    [5_400_000, 'about 1.5 hours left'],
  ])('%s ms is said as %j', (ms, words) => expect(leftWords(ms)).toBe(words));

  it('gives the time that the rest takes', () => {
    expect(timeLeftMs(50, 150, 10)).toBe(10_000);
    expect(timeLeftMs(50, 150, null)).toBeNull();
  });
});

describe('the list', () => {
  const older = download({ id: 'd1', version: 3, state: 'failed' });
  const newer = download({ id: 'd2', version: 2, created_at: '2026-11-02T09:59:30Z' });

  it('keeps the newest version of each, newest download first', () => {
    const stale = download({ id: 'd1', version: 2 });
    expect(merged([older], [newer, stale])).toEqual([newer, older]);
  });

  it('knows which was asked for again', () => {
    const list = [newer, older];
    expect(latestOf(list, ['r1'])).toBe(newer);
    expect(successorOf(list, older)).toBe(newer);
    expect(successorOf(list, newer)).toBeUndefined();
    expect(successorOf([{ ...newer, state: 'failed' }, older], older)).toBeUndefined();
    expect(successorOf([{ ...newer, recordings: [{ id: 'r2', title: null }] }, older], older)).toBeUndefined();
  });
});

describe('words', () => {
  it('name what it is of', () => {
    expect(nameOf(download())).toBe('Room 4');
    expect(nameOf(download({ recordings: [{ id: 'r1', title: null }] }))).toBe('Untitled recording');
    expect(nameOf(download({ recordings: [1, 2, 3].map((n) => ({ id: `r${n}`, title: null })) }))).toBe('3 recordings');
  });

  it.each([
    ['queued', null, 'About to begin'],
    ['queued', 'turn', 'Waiting for its turn'],
    ['queued', 'chunks', 'Waiting for a chunk'],
    ['queued', 'retry', 'Interrupted, goes on by itself'],
    ['running', null, 'Being made'],
    ['ready', null, 'Ready'],
    ['failed', null, 'Failed'],
    ['cancelled', null, 'Cancelled'],
    ['expired', null, 'Expired'],
  ] as const)('%s, %s: %s', (state, waiting_for, words) => expect(stateOf({ state, waiting_for }).words).toBe(words));

  it('tell how far it is, and how long it takes', () => {
    const half = download({ bytes_done: 100_000_000, percent: 50 });
    expect(detailOf(half, 5_000_000, NOW)).toBe('100 MB of 200 MB, 50 %, about 20 seconds left');
    expect(detailOf(half, null, NOW)).toBe('100 MB of 200 MB, 50 %');
  });

  it('tell why it failed and what to do', () => {
    const problem = { code: 'chunks_missing', detail: 'Chunks 3-4 are not in the bucket.' };
    expect(detailOf(download({ state: 'failed', problem }), null, NOW)).toContain('Open the device that recorded it');
  });

  it('tell what is not in the file', () => {
    const gaps: Download['gaps'] = [{ recording_id: 'r1', missing: [[12, 14]] }];
    expect(shortfallWords(download({ state: 'ready', gaps }))).toBe(
      'Without 3 chunks (12–14), which the bucket does not hold.',
    );
    expect(shortfallWords(download({ state: 'ready' }))).toBe('');
  });

  it('tell why it cannot be had whole, and what can', () => {
    const there = { recording_id: 'r1', available: false, chunks: 9, bytes: 9_000_000, problem: null };
    const { heading, rest } = askWords({ code: 'chunks_missing', detail: '' }, { ...there, missing: [[3, 3]] });
    expect(heading).toBe('1 chunk of it is not in the bucket');
    expect(rest).toContain('A file without it (9 chunks, 9.0 MB) can be made now');
    expect(askWords({ code: 'recording_incomplete', detail: '' }, { ...there, missing: [] }).rest).toContain(
      'what comes later would be left out',
    );
    const problem = { code: 'recording_empty', detail: '' };
    expect(whyNotWords({ ...there, missing: [], problem })).toBe('nothing of it is in the bucket');
    expect(whyNotWords({ ...there, missing: [], available: true })).toBe('');
  });

  it('are read out at quarters and at the end alone', () => {
    const at = (percent: number, version: number, part: Partial<Download> = {}) =>
      download({ percent, version, ...part });
    expect(spokenOf(undefined, at(50, 1))).toBe('');
    expect(spokenOf(at(20, 1), at(24, 2))).toBe('');
    expect(spokenOf(at(24, 1), at(26, 2))).toBe('“Room 4”: 25 percent are made.');
    expect(spokenOf(at(26, 2), at(26, 2))).toBe('');
    expect(spokenOf(at(99, 2), at(100, 3, { state: 'ready' }))).toBe('“Room 4”: the file is ready.');
  });
});

describe('several at once', () => {
  const row = (id: string, part: Partial<LibraryRow> = {}) =>
    ({ id, deleting: false, wish: undefined, stored: {}, ...part }) as LibraryRow;

  it('are those that are shown and in the bucket', () => {
    const rows = [row('a'), row('b', { stored: null }), row('c', { deleting: true }), row('d')];
    expect(rows.map(whyNotSelectable)).toEqual([
      null,
      'nothing of it is in the bucket yet',
      'it is being deleted',
      null,
    ]);
    const all = toggledAll(rows, new Set(['a']));
    expect([...all]).toEqual(['a', 'd']);
    expect([...toggledAll(rows, all)]).toEqual([]);
    expect(selectedOf(rows, new Set(['d', 'c', 'gone'])).map(({ id }) => id)).toEqual(['d']);
  });

  it('leave out what is not whole, or take what there is of it', () => {
    const one = (recording_id: string, available: boolean, chunks: number) => ({
      recording_id,
      available,
      chunks,
      bytes: chunks * 10,
      missing: [],
      problem: null,
    });
    const found = [one('a', true, 3), one('b', false, 2), one('c', false, 0)];
    expect(chosenOf(found, false)).toEqual({ ids: ['a'], bytes: 30 });
    expect(chosenOf(found, true)).toEqual({ ids: ['a', 'b'], bytes: 50 });
  });
});
