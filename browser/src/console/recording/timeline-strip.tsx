import { type KeyboardEvent, type PointerEvent, type RefObject, useEffect, useRef, useState } from 'react';
import { clock, span } from '../format';
import type { Hole, Part } from '../timeline';
import { causeWords, placeWords } from './gap-words';

interface TimelineStripProps {
  video: RefObject<HTMLVideoElement | null>;
  parts: readonly Part[];
  holes: readonly Hole[];
  /** Where the recording ends, in seconds. */
  lengthS: number;
}

/** An arrow key goes as far as the browser's own controls do. */
const STEP_S = 5;
/** A recording with more holes than this has those drawn that are longest. */
const DRAWN = 400;

const LOOKS: Record<Hole['cause'], string> = {
  silence: 'hatched border-x border-faint',
  lost: 'crossed border border-alert',
  waiting: 'border border-hold border-dashed bg-panel',
};

/** The recording from end to end, with its parts and what is missing between them: shows the place, and goes to any. */
export function TimelineStrip({ video, parts, holes, lengthS }: TimelineStripProps) {
  const strip = useRef<HTMLDivElement>(null);
  const [shown, setShown] = useState(0);
  const [dragged, setDragged] = useState<number | null>(null);
  useEffect(() => {
    const element = video.current;
    if (!element) return;
    // Between two parts that it cannot play in one go the element is empty for a moment, and nowhere.
    const look = () => element.readyState > HTMLMediaElement.HAVE_NOTHING && setShown(element.currentTime);
    const events = ['timeupdate', 'seeking', 'seeked'];
    for (const name of events) element.addEventListener(name, look);
    return () => {
      for (const name of events) element.removeEventListener(name, look);
    };
  }, [video]);

  const place = Math.min(dragged ?? shown, lengthS);
  const share = (seconds: number) => `${Math.min(100, (Math.max(0, seconds) / lengthS) * 100)}%`;
  const goTo = (seconds: number) => {
    if (video.current) video.current.currentTime = Math.max(0, Math.min(seconds, lengthS));
  };

  function onKeyDown(event: KeyboardEvent) {
    // Where it is by now, which may not be drawn yet.
    const now = video.current?.readyState ? video.current.currentTime : place;
    const to = targetOf(event.key, Math.min(now, lengthS), lengthS, parts);
    if (to === null || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    goTo(to);
  }

  function timeAt(event: PointerEvent): number {
    const box = strip.current?.getBoundingClientRect();
    return box ? Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)) * lengthS : 0;
  }

  const longest = holes.length > DRAWN ? [...holes].sort((a, b) => lengthOf(b) - lengthOf(a)).slice(0, DRAWN) : holes;
  return (
    <div className="mt-2">
      <div
        ref={strip}
        role="slider"
        tabIndex={0}
        data-testid="timeline"
        aria-label="Place in the recording"
        aria-valuemin={0}
        aria-valuemax={Math.ceil(lengthS)}
        aria-valuenow={Math.floor(place)}
        aria-valuetext={placeWords(place, lengthS, parts)}
        className="relative h-11 cursor-pointer touch-none select-none overflow-hidden rounded-[8px] border border-line bg-panel"
        onKeyDown={onKeyDown}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          setDragged(timeAt(event));
        }}
        onPointerMove={(event) => {
          if (dragged !== null) setDragged(timeAt(event));
        }}
        onPointerUp={(event) => {
          if (dragged !== null) goTo(timeAt(event));
          setDragged(null);
        }}
        onPointerCancel={() => setDragged(null)}
      >
        <i className="absolute inset-x-0 top-2 bottom-2 bg-safe/35" />
        <i className="absolute top-2 bottom-2 left-0 bg-safe/70" style={{ width: share(place) }} />
        {parts.map(({ segment, startS }, index) =>
          index > 0 && startS !== null ? (
            <i key={segment} className="absolute inset-y-1 w-px bg-ink/60" style={{ left: share(startS) }} />
          ) : null,
        )}
        {longest.map((hole) => (
          <i
            key={hole.fromS}
            data-testid="timeline-gap"
            title={`${clock(hole.fromS * 1000)}, ${span(lengthOf(hole) * 1000)}: ${causeWords(hole)}`}
            className={`absolute top-1.5 bottom-1.5 min-w-1 bg-panel ${LOOKS[hole.cause]}`}
            style={{ left: share(hole.fromS), width: share(lengthOf(hole)) }}
          />
        ))}
        <i className="-translate-x-1/2 absolute inset-y-0 w-[3px] bg-ink" style={{ left: share(place) }} />
      </div>
      <div aria-hidden="true" className="mt-1 flex justify-between text-[12.5px] text-soft">
        <span>{clock(place * 1000)}</span>
        <span>{clock(lengthS * 1000)}</span>
      </div>
    </div>
  );
}

function targetOf(key: string, place: number, lengthS: number, parts: readonly Part[]): number | null {
  const starts = parts.flatMap(({ startS }) => (startS === null ? [] : [startS]));
  if (key === 'ArrowRight' || key === 'ArrowUp') return place + STEP_S;
  if (key === 'ArrowLeft' || key === 'ArrowDown') return place - STEP_S;
  if (key === 'Home') return 0;
  if (key === 'End') return lengthS;
  if (key === 'PageDown') return starts.find((start) => start > place + 0.5) ?? lengthS;
  if (key === 'PageUp') return starts.findLast((start) => start < place - 1) ?? 0;
  return null;
}

function lengthOf({ fromS, toS }: Hole): number {
  return toS - fromS;
}
