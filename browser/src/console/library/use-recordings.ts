import { useCallback, useEffect, useReducer, useRef } from 'react';
import type { Problem } from '../../recorder/types';
import { problemOfCall } from '../api-calls';
import type { BucketView, RecordingPage, StoredRecording } from '../bucket-view';

/** How often the newest page is looked at again while the library is in view. */
const REFRESH_MS = 10_000;

interface Listing {
  recordings: readonly StoredRecording[];
  cursor: string | null;
  status: 'loading' | 'ready' | 'failed';
  problem: Problem | null;
}

type Step =
  | { type: 'asked' }
  | { type: 'more'; page: RecordingPage }
  | { type: 'renewed'; page: RecordingPage }
  | { type: 'failed'; problem: Problem };

/** The bucket's recordings, page after page: `more` asks for the next, `again` repeats what failed. */
export function useRecordings(bucket: BucketView) {
  const [listing, step] = useReducer(next, { recordings: [], cursor: null, status: 'loading', problem: null });
  const asking = useRef(false);

  const ask = useCallback(
    async (cursor: string | null, type: 'more' | 'renewed') => {
      if (asking.current) return;
      asking.current = true;
      if (type === 'more') step({ type: 'asked' });
      try {
        step({ type, page: await bucket.recordings(cursor) });
      } catch (error) {
        const problem = problemOfCall(error);
        // A renewal that fails changes nothing that is shown: the line's own notice tells.
        if (problem && type === 'more') step({ type: 'failed', problem });
      } finally {
        asking.current = false;
      }
    },
    [bucket],
  );

  useEffect(() => {
    void ask(null, 'more');
    const timer = setInterval(() => document.visibilityState === 'visible' && void ask(null, 'renewed'), REFRESH_MS);
    return () => clearInterval(timer);
  }, [ask]);

  return {
    ...listing,
    more: () => ask(listing.cursor, 'more'),
    again: () => ask(listing.cursor, 'more'),
    renew: useCallback(() => ask(null, 'renewed'), [ask]),
  };
}

function next(listing: Listing, step: Step): Listing {
  switch (step.type) {
    case 'asked':
      return { ...listing, status: 'loading', problem: null };
    case 'failed':
      return { ...listing, status: 'failed', problem: step.problem };
    case 'more':
      return {
        recordings: joined(listing.recordings, step.page.recordings),
        cursor: step.page.next_cursor,
        status: 'ready',
        problem: null,
      };
    case 'renewed': {
      const first = listing.status !== 'ready';
      return {
        ...listing,
        recordings: renewed(listing.recordings, step.page),
        cursor: first ? step.page.next_cursor : listing.cursor,
        status: 'ready',
        problem: null,
      };
    }
  }
}

/** As `joined`; what the newest page should hold and does not is gone. */
export function renewed(before: readonly StoredRecording[], page: RecordingPage): StoredRecording[] {
  const oldest = page.recordings.at(-1)?.created_at ?? '';
  const present = new Set(page.recordings.map(({ id }) => id));
  const isOlder = (one: StoredRecording) => page.next_cursor !== null && one.created_at <= oldest;
  return joined(
    before.filter((one) => present.has(one.id) || isOlder(one)),
    page.recordings,
  );
}

/** Newer knowledge of a recording takes the place of older. */
function joined(before: readonly StoredRecording[], page: readonly StoredRecording[]): StoredRecording[] {
  const byId = new Map(before.map((one) => [one.id, one]));
  for (const one of page) byId.set(one.id, one);
  return [...byId.values()];
}
