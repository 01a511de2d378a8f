import { useEffect } from 'react';
import type { RecordingView } from '../../recorder/types';
import { bytes, clock, counted, whole } from '../format';
import { titleOf } from '../library-rows';
import { useParts, useSnapshot, useStudio } from '../parts';
import { problemWords } from '../problem-words';
import { Main } from '../shell/main';
import { Notices } from '../shell/notices';
import { Tape } from '../tape/tape';
import { useMedia, useRecordedMs } from '../ticking';
import { Card, CardHead } from '../ui/card';
import { Note } from '../ui/note';
import { Deck, useDeckKeys } from './deck';
import { LossNotice } from './loss-notice';
import { Others } from './others';
import { ProgressCard } from './progress-card';
import { PromisePanel } from './promise-panel';
import { Rates } from './rates';
import { Setup } from './setup';
import { Stage } from './stage';

/** The recorder: what is safe first, then the picture, the clock, the tape and the rates. */
export function RecordPage() {
  const { studio } = useParts();
  const snapshot = useSnapshot();
  const { recordingId, phase, problem } = useStudio();
  const view = snapshot.recordings.find(({ id }) => id === recordingId);
  const others = snapshot.recordings.filter(({ id }) => id !== recordingId);
  const narrow = useMedia('(max-width: 860px)');
  const running = phase === 'recording' || phase === 'stopping';
  useDeckKeys(view);
  useEffect(() => void studio.watchDevices(), [studio]);
  useEffect(() => {
    document.title = running ? 'Recording · Safereel' : 'Record · Safereel';
  }, [running]);

  return (
    <Main
      data-recording-id={recordingId ?? ''}
      data-recording-state={view?.state ?? 'idle'}
      className="max-[860px]:pb-28"
    >
      <div
        className={`flex items-center justify-between gap-4 ${running ? 'sticky top-0 z-20 -mx-9 -my-3 bg-paper px-9 py-3 max-[860px]:static max-[860px]:m-0 max-[860px]:p-0' : 'min-h-10'}`}
      >
        <h1 className="min-w-0 truncate font-semibold text-[22px] tracking-[-0.01em]">
          {view ? titleOf(view) : 'New recording'}
        </h1>
        {!narrow && (running || recordingId) ? (
          <div className="flex gap-2.5">
            <Deck view={view} />
          </div>
        ) : null}
      </div>
      <Notices current={recordingId} />
      {problem ? (
        <Note
          tone={problem.code === 'share_cancelled' ? 'plain' : 'alert'}
          role="status"
          heading={problemWords(problem).heading}
          className="mt-4"
        >
          {problem.detail}
        </Note>
      ) : null}
      <LossNotice />
      <div className="mt-6">
        <PromisePanel view={view} snapshot={snapshot} />
      </div>
      <div className="mt-5 grid gap-[18px] min-[861px]:grid-cols-[1.45fr_1fr]">
        <Stage view={view} />
        {view ? (
          <ProgressCard view={view} hints={!narrow} />
        ) : (
          <Setup>
            {narrow ? null : (
              <div className="mt-auto flex pt-5">
                <Deck view={view} wide />
              </div>
            )}
          </Setup>
        )}
      </div>
      {view ? (
        <>
          <Card aria-labelledby="tape-head" className="mt-[18px]">
            <CardHead
              id="tape-head"
              title="Chunks"
              aside={`${counted(view.chunks.length, 'chunk')}${running ? ' so far' : ''} · ${bytes(view.bytes)}`}
            />
            <Tape chunks={view.chunks} recordingId={view.id} />
          </Card>
          <div className="mt-[18px]">
            <Rates view={view} snapshot={snapshot} />
          </div>
        </>
      ) : null}
      {others.length > 0 ? (
        <div className="mt-[18px]">
          <Others views={others} />
        </div>
      ) : null}
      {narrow ? <ThumbDeck recordingId={recordingId} /> : null}
    </Main>
  );
}

/** On a narrow screen the buttons stay under the thumb, with the clock beside them. */
function ThumbDeck({ recordingId }: { recordingId: string | null }) {
  const view = useSnapshot().recordings.find(({ id }) => id === recordingId);
  const recordedMs = useRecordedMs(view);
  return (
    <div className="fixed inset-x-0 bottom-0 z-20 border-line border-t bg-panel px-4 pt-3 pb-[max(12px,env(safe-area-inset-bottom))]">
      {view && view.state !== 'complete' ? (
        <p aria-hidden="true" className="mb-2 flex justify-between text-[13px] text-soft">
          <span className="font-semibold text-ink">{clock(recordedMs)}</span>
          <span>{thumbWords(view)}</span>
        </p>
      ) : null}
      <div className="flex gap-2.5">
        <Deck view={view} wide />
      </div>
    </div>
  );
}

function thumbWords({ safeMs, chunksOnlyHere }: RecordingView): string {
  const safe = safeMs >= 1000 ? `safe up to ${clock(safeMs)}` : 'nothing confirmed yet';
  return `${safe} · ${whole(chunksOnlyHere)} to be confirmed`;
}
