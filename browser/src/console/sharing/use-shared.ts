import { useEffect, useState } from 'react';
import type { Problem } from '../../recorder/types';
import { problemOfCall } from '../api-calls';
import type { Shared, SharedChunk, ShareView } from './share-view';

/** Somebody waits for it: soon. */
const SOON_MS = 5_000;
/** It plays; that its link was revoked is noticed within this. */
const CALM_MS = 30_000;
const PAGE = 1_000;

/**
 * `not_ready`: it is still being recorded. `unknown`: the link leads nowhere. `ended`: it did so until now, and does not any more.
 */
export type SharedPhase = 'loading' | 'ready' | 'not_ready' | 'unknown' | 'ended';

export interface SharedState {
  phase: SharedPhase;
  shared: Shared | null;
  chunks: readonly SharedChunk[];
  /** The last look failed; what was seen before stays. */
  problem: Problem | null;
}

/** What a link shows now; looked at again by itself, for as long as it may change. */
export function useShared(view: ShareView, shareId: string): SharedState {
  const [state, setState] = useState<SharedState>({ phase: 'loading', shared: null, chunks: [], problem: null });
  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let known = false;
    async function look() {
      try {
        const shared = await view.view(shareId, abort.signal);
        const chunks = known ? null : await allChunks(view, shareId, abort.signal);
        known = true;
        setState((before) => ({ phase: 'ready', shared, chunks: chunks ?? before.chunks, problem: null }));
        lookLater(CALM_MS);
      } catch (error) {
        const problem = problemOfCall(error);
        if (abort.signal.aborted || !problem) return;
        if (problem.code === 'share_unknown') {
          setState({ phase: known ? 'ended' : 'unknown', shared: null, chunks: [], problem: null });
          return;
        }
        if (problem.code === 'share_not_ready')
          setState({ phase: 'not_ready', shared: null, chunks: [], problem: null });
        else setState((before) => ({ ...before, problem }));
        lookLater(SOON_MS);
      }
    }
    function lookLater(ms: number) {
      timer = setTimeout(() => (document.visibilityState === 'visible' ? void look() : lookLater(ms)), ms);
    }
    void look();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [view, shareId]);
  return state;
}

async function allChunks(view: ShareView, shareId: string, signal: AbortSignal): Promise<SharedChunk[]> {
  const found: SharedChunk[] = [];
  let after: number | null = -1;
  while (after !== null) {
    const page = await view.chunks(shareId, after, PAGE, signal);
    found.push(...page.chunks);
    after = page.next_after;
  }
  return found;
}
