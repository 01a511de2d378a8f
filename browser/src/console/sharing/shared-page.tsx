import { Download } from 'lucide-react';
import { type ReactNode, useEffect } from 'react';
import { bytes, moment, span } from '../format';
import { titleOf } from '../library-rows';
import { problemWords } from '../problem-words';
import { Player } from '../recording/player';
import { Brand } from '../shell/brand';
import { Main } from '../shell/main';
import { useNow } from '../ticking';
import { Button } from '../ui/button';
import { Note } from '../ui/note';
import { Skeleton } from '../ui/skeleton';
import type { Shared, ShareView } from './share-view';
import { type SharedState, useShared } from './use-shared';

interface SharedPageProps {
  view: ShareView;
  shareId: string;
}

/**
 * What somebody sees who has a recording's link, without an account: `/s/{share_id}`.
 *
 * Tests may rely on `data-testid="shared"` with `data-phase`, beside what the player has.
 */
export function SharedPage({ view, shareId }: SharedPageProps) {
  const state = useShared(view, shareId);
  useEffect(() => {
    document.title = `${state.shared ? titleOf(state.shared) : HEADINGS[state.phase]} · Safereel`;
    document.documentElement.dataset.ready = 'true';
  }, [state.shared, state.phase]);
  return (
    <div className="min-h-dvh">
      <header className="flex items-center border-line border-b px-9 py-4 max-[860px]:px-4">
        <Brand />
      </header>
      <Main className="mx-auto max-w-[960px]" data-testid="shared" data-phase={state.phase}>
        {state.shared ? (
          <Watch state={state} shared={state.shared} view={view} shareId={shareId} />
        ) : (
          <Instead state={state} />
        )}
      </Main>
    </div>
  );
}

const HEADINGS: Record<SharedState['phase'], string> = {
  loading: 'Shared recording',
  ready: 'Shared recording',
  not_ready: 'This is still being recorded',
  unknown: 'This link leads nowhere',
  ended: 'This link has ended',
};

function Watch({ state, shared, view, shareId }: SharedPageProps & { state: SharedState; shared: Shared }) {
  const now = useNow(60_000);
  const facts = [
    `Recorded ${moment(Date.parse(shared.created_at), now)}`,
    shared.duration_ms === null ? null : span(shared.duration_ms),
    shared.bytes === null ? null : bytes(shared.bytes),
  ];
  return (
    <>
      <h1 className="wrap-anywhere font-semibold text-[22px] tracking-[-0.01em]">{titleOf(shared)}</h1>
      <p className="mt-1 mb-5 text-soft">{facts.filter(Boolean).join(' · ')}</p>
      <Failed state={state} />
      <Player
        id={shareId}
        pages={view}
        title={titleOf(shared)}
        mimeType={shared.mime_type}
        chunks={state.chunks}
        complete
      />
      {shared.file ? (
        <Button asChild className="mt-5">
          <a href={shared.file.url} download={shared.file.name}>
            <Download aria-hidden="true" className="size-4" />
            Download ({bytes(shared.file.size)})
          </a>
        </Button>
      ) : null}
      <p className="mt-8 border-line border-t pt-4 text-[13px] text-soft">
        Somebody shared this recording with you by its link. Whoever has the link can watch it, until it is revoked.
      </p>
    </>
  );
}

/** What stands there where nothing can be watched. */
function Instead({ state }: { state: SharedState }) {
  if (state.phase === 'loading')
    return (
      <>
        <h1 className={state.problem ? 'font-semibold text-[22px] tracking-[-0.01em]' : 'sr-only'}>
          {HEADINGS.loading}
        </h1>
        {state.problem ? (
          <Failed state={state} />
        ) : (
          <>
            <Skeleton className="my-1 h-6 w-64" />
            <Skeleton className="mt-8 aspect-video rounded-[14px]" />
          </>
        )}
      </>
    );
  return (
    <>
      <h1 className="font-semibold text-[22px] tracking-[-0.01em]">{HEADINGS[state.phase]}</h1>
      <div role="status" className="mt-2 mb-5 max-w-[60ch] text-pretty text-soft">
        {WORDS[state.phase]}
      </div>
      <Failed state={state} />
    </>
  );
}

const WORDS: Partial<Record<SharedState['phase'], ReactNode>> = {
  not_ready: 'It can be watched here as soon as it is complete. This page looks again by itself: leave it open.',
  unknown:
    'It may be cut short, its time may be over, or whoever shared it has taken it back. Ask them for a new link.',
  ended: 'Its time is over, or whoever shared it has taken it back. Ask them for a new link.',
};

function Failed({ state: { problem } }: { state: SharedState }) {
  if (!problem) return null;
  return (
    <Note tone="hold" role="status" className="my-4" heading={problemWords(problem).heading} code={problem.code}>
      {problem.detail} It is asked again by itself.
    </Note>
  );
}
