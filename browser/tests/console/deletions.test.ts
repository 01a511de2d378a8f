import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { captureWords, deletedWords, whatGoes } from '../../src/console/deleting/delete-words';
import { Deletions, UNDO_MS } from '../../src/console/deleting/deletions';
import { BrowserWishMemory } from '../../src/console/deleting/wish-memory';
import { SafereelError } from '../../src/recorder/errors';
import type { Safereel } from '../../src/recorder/types';
import { chunk, snapshotOf, view } from './views';

const ID = '0193f0a0-0000-7000-8000-000000000001';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

function storage(content: Record<string, string> = {}) {
  return {
    content,
    getItem: (key: string) => content[key] ?? null,
    setItem: (key: string, value: string) => {
      content[key] = value;
    },
  };
}

/** A page of one visit; the browser's storage and the server's answers may be those of another. */
function visit(disk = storage(), owner = 'alice') {
  const calls: string[] = [];
  const lastWords: string[] = [];
  const answers = { delete: null as Error | null, discardLocal: null as Error | null, never: false };
  const call = async (name: 'delete' | 'discardLocal', id: string) => {
    calls.push(`${name} ${id}`);
    if (answers.never) await new Promise(() => undefined);
    if (answers[name]) throw answers[name];
  };
  const safereel = {
    snapshot: () => snapshotOf([], { owner }),
    ready: () => Promise.resolve(),
    delete: (id: string) => call('delete', id),
    discardLocal: (id: string) => call('discardLocal', id),
  } as unknown as Safereel;
  const deletions = new Deletions(safereel, new BrowserWishMemory(disk), (id) => lastWords.push(id));
  const phases = () => deletions.state.get().map(({ phase }) => phase);
  return { deletions, calls, lastWords, answers, phases, disk };
}

describe('a deletion', () => {
  it('is sent when its time for undoing is over, said, and forgotten', async () => {
    const { deletions, calls, phases, disk } = visit();
    deletions.ask(ID, 'Room 4');
    deletions.ask(ID, 'Room 4');
    await vi.advanceTimersByTimeAsync(UNDO_MS - 1);
    expect([calls, phases()]).toEqual([[], ['undoable']]);
    await vi.advanceTimersByTimeAsync(1);
    expect([calls, phases()]).toEqual([[`delete ${ID}`], ['agreed']]);
    expect(disk.content).toEqual({ 'safereel.deletions': '[]' });
    await vi.advanceTimersByTimeAsync(60_000);
    expect([calls.length, phases()]).toEqual([1, []]);
  });

  it('that is taken back never reaches the server, not at the next visit either', async () => {
    const { deletions, calls, phases, disk } = visit();
    deletions.ask(ID, 'Room 4');
    await vi.advanceTimersByTimeAsync(UNDO_MS - 1);
    deletions.undo(ID);
    await vi.advanceTimersByTimeAsync(60_000);
    expect([calls, phases()]).toEqual([[], []]);
    const later = visit(disk);
    await later.deletions.resume();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(later.calls).toEqual([]);
  });

  it('cannot be taken back once it is being sent', async () => {
    const { deletions, answers, phases } = visit();
    answers.never = true;
    deletions.ask(ID, 'Room 4');
    await vi.advanceTimersByTimeAsync(UNDO_MS);
    deletions.undo(ID);
    expect(phases()).toEqual(['sending']);
  });

  it('that failed says so, and is sent again only when asked for', async () => {
    const { deletions, calls, answers, phases, disk } = visit();
    answers.delete = new SafereelError('delete_failed');
    deletions.ask(ID, 'Room 4');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(deletions.state.get()[0]).toMatchObject({ phase: 'failed', problem: { code: 'delete_failed' } });
    expect(calls).toHaveLength(1);
    const later = visit(disk);
    await later.deletions.resume();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(later.calls).toEqual([]);
    answers.delete = null;
    deletions.again(ID);
    await vi.advanceTimersByTimeAsync(0);
    expect(phases()).toEqual(['agreed']);
  });

  it('that failed can be let be', async () => {
    const { deletions, answers, phases } = visit();
    answers.delete = new SafereelError('delete_failed');
    deletions.ask(ID, 'Room 4');
    await vi.advanceTimersByTimeAsync(UNDO_MS);
    deletions.keep(ID);
    expect(phases()).toEqual([]);
  });

  it('of what the server does not know goes from this device', async () => {
    const { deletions, calls, answers, phases } = visit();
    answers.delete = new SafereelError('recording_unknown');
    deletions.ask(ID, 'Room 4');
    await vi.advanceTimersByTimeAsync(UNDO_MS);
    expect([calls, phases()]).toEqual([[`delete ${ID}`, `discardLocal ${ID}`], ['agreed']]);
    answers.discardLocal = new SafereelError('delete_failed');
    const second = ID.replace('1', '2');
    deletions.ask(second, 'Room 5');
    await vi.advanceTimersByTimeAsync(UNDO_MS);
    expect(deletions.state.get().find(({ id }) => id === second)?.phase).toBe('failed');
  });
});

describe('leaving the page', () => {
  it('ends the time for undoing: what waits is sent at once, with a call that outlives the page', async () => {
    const { deletions, calls, lastWords, phases } = visit();
    deletions.ask(ID, 'Room 4');
    deletions.leaving();
    expect([lastWords, calls]).toEqual([[ID], [`delete ${ID}`]]);
    await vi.advanceTimersByTimeAsync(0);
    expect(phases()).toEqual(['agreed']);
    deletions.leaving();
    expect(lastWords).toHaveLength(1);
  });

  it('without a word (a crash) loses no wish: the next visit sends it, once, for the same owner alone', async () => {
    const first = visit();
    first.deletions.ask(ID, 'Room 4');
    vi.clearAllTimers();
    const bob = visit(first.disk, 'bob');
    await bob.deletions.resume();
    const next = visit(first.disk);
    await next.deletions.resume();
    await vi.advanceTimersByTimeAsync(UNDO_MS + 10_000);
    expect([next.calls, bob.calls]).toEqual([[`delete ${ID}`], []]);
    const last = visit(first.disk);
    await last.deletions.resume();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(last.calls).toEqual([]);
  });

  it('does not let another tab send what may still be undone in this one', async () => {
    const here = visit();
    here.deletions.ask(ID, 'Room 4');
    const there = visit(here.disk);
    await there.deletions.resume();
    await vi.advanceTimersByTimeAsync(UNDO_MS - 1);
    here.deletions.undo(ID);
    await vi.advanceTimersByTimeAsync(60_000);
    expect([here.calls, there.calls, there.phases()]).toEqual([[], [], []]);
  });

  it('with a storage that refuses, or holds nonsense, deletes all the same', async () => {
    const refusing = {
      getItem: () => '{"not": "ours"}',
      setItem: () => {
        throw new DOMException('full', 'QuotaExceededError');
      },
    };
    const { deletions, calls } = visit(refusing as unknown as ReturnType<typeof storage>);
    deletions.ask(ID, 'Room 4');
    await vi.advanceTimersByTimeAsync(UNDO_MS);
    expect(calls).toEqual([`delete ${ID}`]);
  });
});

describe('what is said before', () => {
  const one = view([chunk(0, 'released'), chunk(1, 'acked'), chunk(2, 'on_disk')], 1, { id: ID });
  const doomed = { id: ID, title: 'Room 4', stored: null, view: one, recordedHere: false };

  it('names what goes, and from where', () => {
    expect(whatGoes(doomed).map(({ where, what }) => `${where}: ${what}`)).toEqual([
      'In your bucket: 2 chunks, 2.0 MB: every version, and all files made of them',
      'On this device: 2 chunks, perhaps nowhere else yet',
      'On other devices: whatever they hold of it, when they are next online',
    ]);
    const stored = { received_chunks: 9, received_bytes: 9_000_000 };
    expect(whatGoes({ ...doomed, stored, view: undefined })[0]?.what).toContain('9 chunks, 9.0 MB');
  });

  it('says what becomes of a recording under way', () => {
    expect(captureWords({ ...doomed, recordedHere: true })).toContain('Recording stops at once');
    expect(captureWords(doomed)).toContain('another tab');
    expect(captureWords({ ...doomed, view: { ...one, state: 'complete' } })).toBe('');
  });
});

describe('what is said of a deletion elsewhere', () => {
  const deleted = {
    type: 'deleted' as const,
    recordingId: ID,
    title: 'Room 4',
    durationMs: 12_900,
    wasRecording: true,
    requested: false,
  };

  it('tells whoever was recording that it stopped, and when', () => {
    const { heading, rest } = deletedWords(deleted);
    expect(heading).toBe('This recording was deleted elsewhere. Recording stopped at 00:00:12.');
    expect(rest).toContain('“Room 4”');
  });

  it('speaks of no stop where nothing was being recorded', () => {
    expect(Object.values(deletedWords({ ...deleted, wasRecording: false })).join(' ')).not.toMatch(/[Ss]topped/);
  });
});
