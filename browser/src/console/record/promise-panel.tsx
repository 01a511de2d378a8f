import type { RecordingView, Snapshot } from '../../recorder/types';
import { heldOf, heldWords } from '../held-words';
import { paceOf } from '../line-pace';
import { useBarred } from '../parts';
import { promiseOf, promiseSentence } from '../promise';
import { classNames } from '../ui/class-names';
import { Pill } from '../ui/pill';
import { Announced } from './announced';

/** The page's first duty: what is safe in the bucket, and beside it, in numbers, what is only here. */
export function PromisePanel({ view, snapshot }: { view: RecordingView | undefined; snapshot: Snapshot }) {
  const barred = useBarred();
  const promise = promiseOf(view, snapshot, barred);
  const allSafe = promise.tone === 'safe';
  return (
    <section aria-label="What is safe">
      <p
        data-testid="promise"
        className={classNames(
          'text-balance font-semibold text-[25px] leading-[1.25] tracking-[-0.015em] max-md:text-[21px]',
          allSafe && view && 'text-safe-ink',
        )}
      >
        {promise.before}
        {promise.at ? <b className="font-bold text-safe-ink">{promise.at}</b> : null}
        {promise.after}
      </p>
      {view && view.durationMs > 0 ? <SafeLine view={view} /> : null}
      {promise.rest ? <p className="mt-2 max-w-[72ch] text-pretty text-[14px] text-soft">{promise.rest}</p> : null}
      <div className="mt-3 flex flex-wrap gap-2">
        <OnlyHere snapshot={snapshot} view={view} />
        {view ? <Resent view={view} /> : null}
        {view && view.state === 'recording' ? <Pace view={view} snapshot={snapshot} /> : null}
      </div>
      <Announced
        sentence={promiseSentence(promise)}
        occasion={`${view?.id ?? ''} ${view?.state ?? ''} ${promise.tone} ${snapshot.connection}`}
      />
    </section>
  );
}

/** The recording from its start to now: safe up to here, and from there on not confirmed yet. */
function SafeLine({ view }: { view: RecordingView }) {
  const share = Math.min(100, (view.safeMs / Math.max(1, view.durationMs)) * 100);
  return (
    <div aria-hidden="true" className="mt-3 flex h-1.5 gap-0.5 overflow-hidden rounded-full">
      {share > 0 ? (
        <i className="rounded-full bg-safe transition-[width] duration-500" style={{ width: `${share}%` }} />
      ) : null}
      {share < 100 ? (
        <i className="flex-1 rounded-full bg-[repeating-linear-gradient(115deg,var(--hold)_0_5px,transparent_5px_8px)]" />
      ) : null}
    </div>
  );
}

function OnlyHere({ snapshot, view }: { snapshot: Snapshot; view: RecordingView | undefined }) {
  const { ready, recordings, chunksOnlyHere: count } = snapshot;
  const shown = view ? [view] : recordings;
  const here = view?.chunksOnlyHere ?? count;
  return (
    <>
      <Pill
        data-testid="only-here"
        data-count={count}
        data-recording-count={view?.chunksOnlyHere ?? 0}
        tone={here > 0 ? 'hold' : ready ? 'safe' : 'plain'}
      >
        {ready || here > 0 ? heldWords(heldOf(shown)) : 'Not known yet what is only on this device'}
      </Pill>
      {count > here ? (
        <Pill tone="hold">Other recordings: {heldWords(heldOf(recordings.filter(({ id }) => id !== view?.id)))}</Pill>
      ) : null}
    </>
  );
}

function Resent({ view }: { view: RecordingView }) {
  const resent = view.chunks.filter((chunk) => chunk.resent > 0 || chunk.state === 'resending').length;
  return resent > 0 ? <Pill tone="alert">{resent} sent again</Pill> : null;
}

function Pace({ view, snapshot }: { view: RecordingView; snapshot: Snapshot }) {
  const pace = paceOf(view, snapshot);
  if (pace === 'keeps_up') return <Pill tone="safe">Upload keeps up</Pill>;
  if (pace === 'no_room') return <Pill tone="hold">Waiting for room in your share of the bucket</Pill>;
  if (pace === 'behind') return <Pill tone="hold">The line is slower than the recording: the rest is held here</Pill>;
  return <Pill tone="hold">Waiting for the line</Pill>;
}
