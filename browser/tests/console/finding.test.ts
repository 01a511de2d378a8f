import { describe, expect, it } from 'vitest';
import { EVERYTHING, found, needsAll, queryOf, wantedIn } from '../../src/console/library/finding';
import type { LibraryRow } from '../../src/console/library-rows';

function row(title: string, part: Partial<LibraryRow> = {}): LibraryRow {
  const state = { tone: 'safe' as const, words: 'Safe', recording: false };
  const rest = { safe: 1, lost: 0, deleting: false, wish: undefined, stored: null, view: undefined };
  return { id: title, title, startedAt: 0, lengthMs: null, bytes: 0, state, ...rest, ...part };
}

const rows = [
  row('Séance 10', { startedAt: 3, lengthMs: 1_000, bytes: 30 }),
  row('séance 9', { startedAt: 2, lengthMs: 9_000, bytes: 10 }),
  row('Exam hall', { startedAt: 1, bytes: 20, state: { tone: 'alert', words: '2 chunks lost', recording: false } }),
];
const titles = (words: string, order = EVERYTHING.order) => found(rows, { words, order }).map(({ title }) => title);

describe('finding in the library', () => {
  it('takes every word that was typed, without case and accents, in the title or the state', () => {
    expect(titles('seance')).toEqual(['Séance 10', 'séance 9']);
    expect(titles(' 10  SEANCE ')).toEqual(['Séance 10']);
    expect(titles('lost')).toEqual(['Exam hall']);
    expect(titles('lost seance')).toEqual([]);
    expect(titles('   ')).toHaveLength(3);
  });

  it('orders as it was asked', () => {
    expect(titles('', 'oldest')).toEqual(['Exam hall', 'séance 9', 'Séance 10']);
    expect(titles('', 'longest')).toEqual(['séance 9', 'Séance 10', 'Exam hall']);
    expect(titles('', 'largest')).toEqual(['Séance 10', 'Exam hall', 'séance 9']);
    expect(titles('', 'title')).toEqual(['Exam hall', 'séance 9', 'Séance 10']);
  });

  it('is kept in the address, and nothing else is taken from there', () => {
    for (const wanted of [
      EVERYTHING,
      { words: 'séance & 9', order: 'title' as const },
      { words: '', order: 'oldest' as const },
    ])
      expect(wantedIn(queryOf(wanted))).toEqual(wanted);
    expect(queryOf(EVERYTHING)).toBe('');
    expect(wantedIn('?order=constructor&find=%00')).toEqual({ words: '\0', order: 'newest' });
  });

  it('reads the whole list only where what is wanted may be anywhere', () => {
    expect(needsAll(EVERYTHING)).toBe(false);
    expect(needsAll({ words: 'a', order: 'newest' })).toBe(true);
    expect(needsAll({ words: '', order: 'longest' })).toBe(true);
  });
});
