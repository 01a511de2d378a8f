/** How loud a stream is at present, for drawing. */
export interface LevelReader {
  /** 0 (silence) to 1, on a scale that follows the ear. */
  read(): number;
  close(): void;
}

/** Quieter than this is drawn as silence. */
const FLOOR_DB = -60;

/** Listens to a stream's sound without playing it; null where it has none. */
export function listenTo(stream: MediaStream): LevelReader | null {
  if (stream.getAudioTracks().length === 0 || typeof AudioContext === 'undefined') return null;
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 1024;
  const source = context.createMediaStreamSource(stream);
  source.connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  return {
    read() {
      analyser.getFloatTimeDomainData(samples);
      return levelOf(samples);
    },
    close() {
      source.disconnect();
      void context.close();
    },
  };
}

/** The level of samples between -1 and 1. */
export function levelOf(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const db = 20 * Math.log10(Math.sqrt(sum / Math.max(1, samples.length)) || 1e-9);
  return Math.min(1, Math.max(0, 1 - db / FLOOR_DB));
}

/** Calls `draw` with the level for as long as the stream is listened to; answers how to end that. */
export function drawLevel(stream: MediaStream, draw: (level: number) => void): () => void {
  const reader = listenTo(stream);
  if (!reader) return () => undefined;
  // Calm for those who asked for it: four times a second, in place of every frame.
  const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
  let frame = 0;
  const step = () => {
    draw(reader.read());
    if (!calm) frame = requestAnimationFrame(step);
  };
  const timer = calm ? setInterval(step, 250) : undefined;
  if (!calm) step();
  return () => {
    cancelAnimationFrame(frame);
    clearInterval(timer);
    reader.close();
  };
}
