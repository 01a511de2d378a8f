import { useEffect, useRef } from 'react';
import { drawLevel } from '../level';

const BARS = 64;
/** A bar stands for this long: calm enough to look at for an hour. */
const BAR_MS = 90;

/** The last seconds of sound as bars that move to the left: the picture of a recording that has none. */
export function Waveform({ stream, paused }: { stream: MediaStream; paused: boolean }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const still = useRef(paused);
  still.current = paused;
  useEffect(() => {
    const levels = new Array<number>(BARS).fill(0);
    let peak = 0;
    let since = performance.now();
    return drawLevel(stream, (level) => {
      peak = Math.max(peak, level);
      if (still.current || performance.now() - since < BAR_MS) return;
      levels.push(peak);
      levels.shift();
      peak = 0;
      since = performance.now();
      if (canvas.current) paint(canvas.current, levels);
    });
  }, [stream]);
  return (
    <div aria-hidden="true" className="absolute inset-0">
      <canvas ref={canvas} className="size-full" />
    </div>
  );
}

function paint(canvas: HTMLCanvasElement, levels: readonly number[]): void {
  const scale = devicePixelRatio;
  const width = canvas.clientWidth * scale;
  const height = canvas.clientHeight * scale;
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const pen = canvas.getContext('2d');
  if (!pen) return;
  pen.clearRect(0, 0, width, height);
  const step = width / levels.length;
  for (const [index, level] of levels.entries()) {
    const tall = Math.max(3 * scale, level * height * 0.62);
    pen.fillStyle = `rgb(255 255 255 / ${0.25 + 0.6 * (index / levels.length)})`;
    pen.beginPath();
    pen.roundRect(index * step + step * 0.25, (height - tall) / 2, step * 0.5, tall, step * 0.25);
    pen.fill();
  }
}
