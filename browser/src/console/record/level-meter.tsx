import { useEffect, useRef } from 'react';
import { drawLevel } from '../level';

/** A bar that follows the sound of a stream. */
export function LevelMeter({ stream }: { stream: MediaStream }) {
  const bar = useRef<HTMLDivElement>(null);
  useEffect(
    () =>
      drawLevel(stream, (level) => {
        if (bar.current) bar.current.style.transform = `scaleX(${level.toFixed(3)})`;
      }),
    [stream],
  );
  if (stream.getAudioTracks().length === 0) return null;
  return (
    <div aria-hidden="true" className="absolute inset-x-3.5 bottom-3.5 h-[5px] overflow-hidden rounded bg-white/25">
      <div ref={bar} className="h-full origin-left rounded bg-white" style={{ transform: 'scaleX(0)' }} />
    </div>
  );
}
