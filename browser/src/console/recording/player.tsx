import { useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react';
import type { ChunkPages, HeldChunk } from '../bucket-view';
import { BucketChunks } from '../chunk-fetch';
import { clock, counted, whole } from '../format';
import { NOT_YET, Playback, type PlaybackState } from '../playback';
import { type Gap, gapsIn, playableOf, type Silence, silencesIn } from '../playback-plan';
import { Store } from '../store';
import { holesIn, partsOf } from '../timeline';
import { Note } from '../ui/note';
import { leapWords } from './gap-words';
import { TimelineStrip } from './timeline-strip';
import { WholeFile } from './whole-file';

interface PlayerProps {
  /** What `pages` knows it by. */
  id: string;
  /** Where new addresses of its chunks come from. */
  pages: ChunkPages;
  title: string;
  mimeType: string;
  chunks: readonly HeldChunk[];
  complete: boolean;
}

const NOTHING = new Store<PlaybackState>(NOT_YET);

/** Plays what the bucket holds, straight from the bucket, while it grows or once it is complete. */
export function Player({ id, pages, title, mimeType, chunks, complete }: PlayerProps) {
  const video = useRef<HTMLVideoElement>(null);
  const source = useMemo(() => new BucketChunks(pages, id), [pages, id]);
  const [playback, setPlayback] = useState<Playback | null>(null);
  const store = playback?.state ?? NOTHING;
  const state = useSyncExternalStore(store.subscribe, store.get);

  useEffect(() => {
    if (!video.current) return;
    const one = new Playback(video.current, mimeType, source);
    setPlayback(one);
    return () => one.close();
  }, [mimeType, source]);
  useEffect(() => playback?.update(chunks, complete), [playback, chunks, complete]);

  const parts = useMemo(() => partsOf(chunks), [chunks]);
  const holes = useMemo(() => holesIn(chunks), [chunks]);
  const lengthS = parts.at(-1)?.endS ?? null;
  const sound = mimeType.startsWith('audio/');
  const none = playableOf(chunks).length === 0;
  const unsupported = state.phase === 'unsupported';
  return (
    <section aria-label="Player">
      <div className="relative overflow-hidden rounded-[14px] bg-[linear-gradient(140deg,#2b3a42,#12181b_60%,#23313a)]">
        {/* biome-ignore lint/a11y/useMediaCaption: a recording has no captions. */}
        <video
          ref={video}
          data-testid="player"
          aria-label={`Recording: ${title}`}
          controls={!none}
          playsInline
          preload="auto"
          className={sound ? 'h-32 w-full' : 'aspect-video w-full'}
        />
        {none ? (
          <p className="absolute inset-0 flex items-center justify-center px-6 text-balance text-center text-[14px] text-white/90">
            Nothing of this is in the bucket yet. It can be played as soon as its first chunk arrives there.
          </p>
        ) : null}
      </div>
      {lengthS === null || state.phase !== 'ready' ? null : (
        <TimelineStrip video={video} parts={parts} holes={holes} lengthS={lengthS} />
      )}
      <p
        role="status"
        data-testid="player-state"
        data-state={state.phase}
        data-appended={state.appendedSeq}
        className="mt-2 text-[13px] text-soft empty:hidden"
      >
        {words(state, complete, none)}
      </p>
      {unsupported ? <WholeFile video={video} chunks={playableOf(chunks)} source={source} mimeType={mimeType} /> : null}
      {state.phase === 'failed' ? (
        <Note
          tone="alert"
          role="alert"
          heading="This browser could not play on"
          code={state.problem ?? undefined}
          className="mt-3"
        >
          Its decoder stopped after chunk {whole(Math.max(0, state.appendedSeq))}. The chunks in the bucket are not
          touched by this. Reload the page to try again.
        </Note>
      ) : null}
      <Gaps gaps={gapsIn(chunks)} />
      <Silences silences={silencesIn(chunks)} />
    </section>
  );
}

function Gaps({ gaps }: { gaps: readonly Gap[] }) {
  if (gaps.length === 0) return null;
  const lost = gaps.some(({ cause }) => cause === 'lost');
  return (
    <Note tone={lost ? 'alert' : 'hold'} heading={counted(gaps.length, 'gap')} className="mt-3">
      <ul>
        {gaps.slice(0, 8).map((gap) => (
          <li key={gap.first}>{gapWords(gap)}</li>
        ))}
      </ul>
      {gaps.length > 8 ? `And ${whole(gaps.length - 8)} more. ` : ''}
      Playing leaps over what is not there.
    </Note>
  );
}

/** Nothing is missing in the bucket: there was nothing to record. */
function Silences({ silences }: { silences: readonly Silence[] }) {
  if (silences.length === 0) return null;
  return (
    <Note tone="plain" heading="Recorded in parts" className="mt-3">
      <ul>
        {silences.slice(0, 8).map(({ fromMs, toMs }) => (
          <li key={fromMs}>
            From {clock(fromMs)} to {clock(toMs)} no device was there, and nothing was recorded.
          </li>
        ))}
      </ul>
      {silences.length > 8 ? `And ${whole(silences.length - 8)} more. ` : ''}
      Playing goes from part to part.
    </Note>
  );
}

function gapWords({ first, last, cause }: Gap): string {
  const which = first === last ? `Chunk ${whole(first)}` : `Chunks ${whole(first)} to ${whole(last)}`;
  const one = first === last;
  return cause === 'lost'
    ? `${which} ${one ? 'is' : 'are'} lost.`
    : `${which} ${one ? 'has' : 'have'} not arrived yet.`;
}

function words({ phase, problem, leap }: PlaybackState, complete: boolean, none: boolean): string {
  if (none || phase === 'failed' || phase === 'unsupported') return '';
  if (problem) return problem;
  if (leap) return leapWords(leap);
  return complete ? '' : 'Still growing: what arrives in the bucket is added by itself.';
}
