import { useEffect, useRef, useState } from 'react';
import type { Problem } from '../../recorder/types';
import { problemOfCall } from '../api-calls';
import type { BucketView, StoredChunk, StoredStatus } from '../bucket-view';

/** A recording that can still change is looked at this often. */
const POLL_MS = 4_000;
/** One that has settled can only be deleted, or harmed in the bucket: rare, and nobody has to reload to learn of it. */
const SETTLED_POLL_MS = 15_000;
const PAGE = 1_000;

export interface Stored {
  status: StoredStatus | null;
  chunks: readonly StoredChunk[];
  /** The last look failed; what was seen before stays. */
  problem: Problem | null;
  /** True until the first look is over. */
  loading: boolean;
}

/** What the bucket has of a recording; looked at again and again while the page is in view, less often once it has settled. */
export function useStored(bucket: BucketView, id: string): Stored & { again: () => void } {
  const [stored, setStored] = useState<Stored>({ status: null, chunks: [], problem: null, loading: true });
  const lookNow = useRef<() => void>(() => undefined);
  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let chunks: readonly StoredChunk[] = [];
    let last: StoredStatus | null = null;
    async function look() {
      try {
        const status = await bucket.recording(id, abort.signal);
        if (last && isSettled(last) && isSettled(status)) setStored((before) => ({ ...before, problem: null }));
        else {
          const known = last && isSettled(last) ? [] : chunks; // What had settled and changed is read anew.
          chunks = status.state === 'deleting' ? [] : await renewed(bucket, id, known, abort.signal);
          setStored({ status, chunks, problem: null, loading: false });
        }
        last = status;
      } catch (error) {
        const problem = problemOfCall(error);
        if (abort.signal.aborted || !problem) return;
        setStored((before) => ({ ...before, problem, loading: false }));
        if (problem.code === 'recording_deleted') return; // For ever: there is nothing left to look at.
      }
      lookLater(last && isCalm(last) ? SETTLED_POLL_MS : POLL_MS);
    }
    function lookLater(ms: number) {
      timer = setTimeout(() => (document.visibilityState === 'visible' ? void look() : lookLater(ms)), ms);
    }
    lookNow.current = () => {
      clearTimeout(timer);
      void look();
    };
    lookNow.current();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [bucket, id]);
  return { ...stored, again: () => lookNow.current() };
}

/** Asks anew from the first chunk that may have changed; those before it are confirmed and stay what they are. */
async function renewed(bucket: BucketView, id: string, before: readonly StoredChunk[], signal: AbortSignal) {
  const changed = before.findIndex((chunk, index) => chunk.state !== 'confirmed' || chunk.seq !== index);
  const kept = changed < 0 ? [...before] : before.slice(0, changed);
  let after: number | null = kept.at(-1)?.seq ?? -1;
  while (after !== null) {
    const page = await bucket.chunks(id, after, PAGE, signal);
    kept.push(...page.chunks);
    after = page.next_after;
  }
  return kept;
}

/** True when all of it is confirmed, and nothing is to come. */
export function isSettled(status: StoredStatus): boolean {
  const { state, complete, received_bytes, confirmed_bytes, missing, open_tickets } = status;
  const whole = complete && confirmed_bytes >= received_bytes && missing.length === 0 && open_tickets === 0;
  return whole && state !== 'deleting';
}

/** True when hardly anything can change that somebody waits for. */
function isCalm(status: StoredStatus): boolean {
  return status.state === 'deleting' || isSettled(status);
}
