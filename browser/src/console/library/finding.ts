import type { LibraryRow } from '../library-rows';

/** In which order the library lists: the newest first is how the bucket hands them out. */
export const ORDERS = ['newest', 'oldest', 'longest', 'largest', 'title'] as const;
export type Order = (typeof ORDERS)[number];

/** What a person is looking for. */
export interface Wanted {
  words: string;
  order: Order;
}

export const EVERYTHING: Wanted = { words: '', order: 'newest' };

/** What an address's query asks for, so that a reload, the way back and a copied link show the same list. */
export function wantedIn(search: string): Wanted {
  const query = new URLSearchParams(search);
  const order = ORDERS.find((one) => one === query.get('order'));
  return { words: query.get('find') ?? EVERYTHING.words, order: order ?? EVERYTHING.order };
}

/** The query of what is looked for; empty where that is everything. */
export function queryOf({ words, order }: Wanted): string {
  const query = new URLSearchParams();
  if (words.trim() !== '') query.set('find', words);
  if (order !== EVERYTHING.order) query.set('order', order);
  return query.size > 0 ? `?${query}` : '';
}

const byTitle = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' });

const COMPARE: Record<Order, (a: LibraryRow, b: LibraryRow) => number> = {
  newest: (a, b) => b.startedAt - a.startedAt,
  oldest: (a, b) => a.startedAt - b.startedAt,
  longest: (a, b) => (b.lengthMs ?? 0) - (a.lengthMs ?? 0),
  largest: (a, b) => b.bytes - a.bytes,
  title: (a, b) => byTitle.compare(a.title, b.title),
};

/** The rows whose title or state has every word that was typed, in the order that was chosen. */
export function found(rows: readonly LibraryRow[], { words, order }: Wanted): readonly LibraryRow[] {
  const wanted = plain(words).split(/\s+/).filter(Boolean);
  const kept = wanted.length === 0 ? rows : rows.filter((row) => hasAll(row, wanted));
  return order === 'newest' ? kept : [...kept].sort(COMPARE[order]);
}

/** Whether the whole list has to be read: what is looked for may be old, and the longest may be the oldest. */
export function needsAll({ words, order }: Wanted): boolean {
  return order !== 'newest' || words.trim() !== '';
}

function hasAll({ title, state }: LibraryRow, wanted: readonly string[]): boolean {
  const text = plain(`${title} ${state.words}`);
  return wanted.every((word) => text.includes(word));
}

/** Without case and accents: nobody remembers those of a title. */
function plain(text: string): string {
  return text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
}
