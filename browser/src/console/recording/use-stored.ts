import { useEffect, useRef, useState } from 'react';
import type { Problem } from '../../recorder/types';
import { type BucketView, problemOfCall, type StoredChunk, type StoredStatus } from '../bucket-view';

/** A recording that can still change is looked at this often. */
const POLL_MS = 4_000;
const PAGE = 1_000;

export interface Stored {
  status: StoredStatus | null;
  chunks: readonly StoredChunk[];
  /** The last look failed; what was seen before stays. */
  problem: Problem | null;
  /** True until the first look is over. */
  loading: boolean;
}

/** What the bucket has of a recording; looked at again and again until all of it is confirmed. */
export function useStored(bucket: BucketView, id: string): Stored & { again: () => void } {
  const [stored, setStored] = useState<Stored>({ status: null, chunks: [], problem: null, loading: true });
  const lookNow = useRef<() => void>(() => undefined);
  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let chunks: readonly StoredChunk[] = [];
    async function look() {
      try {
        const status = await bucket.recording(id, abort.signal);
        chunks = status.state === 'deleting' ? [] : await renewed(bucket, id, chunks, abort.signal);
        setStored({ status, chunks, problem: null, loading: false });
        if (isSettled(status)) return;
      } catch (error) {
        const problem = problemOfCall(error);
        if (abort.signal.aborted || !problem) return;
        setStored((before) => ({ ...before, problem, loading: false }));
        if (problem.code === 'recording_deleted') return; // For ever: there is nothing left to look at.
      }
      timer = setTimeout(() => void look(), POLL_MS);
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

function isSettled({ complete, received_bytes, confirmed_bytes, missing, open_tickets }: StoredStatus): boolean {
  return complete && confirmed_bytes >= received_bytes && missing.length === 0 && open_tickets === 0;
}
