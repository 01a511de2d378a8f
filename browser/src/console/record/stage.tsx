import { Camera, Mic, MonitorUp } from 'lucide-react';
import { type ReactNode, useEffect, useRef } from 'react';
import type { RecordingView } from '../../recorder/types';
import { clock } from '../format';
import { useBarred, useParts, useStudio } from '../parts';
import type { Source } from '../sources';
import { Button } from '../ui/button';
import { Pill } from '../ui/pill';
import { LevelMeter } from './level-meter';
import { Waveform } from './waveform';

const ICONS = { camera: Camera, microphone: Mic, screen: MonitorUp };

/** What the devices see or hear; a calm ground where they are off. */
export function Stage({ view }: { view: RecordingView | undefined }) {
  const { stream, phase, choice } = useStudio();
  const sight = stream?.getVideoTracks().some(({ readyState }) => readyState === 'live') ?? false;
  const sound = stream?.getAudioTracks().some(({ readyState }) => readyState === 'live') ?? false;
  return (
    <section
      aria-label="Preview"
      className="relative aspect-video overflow-hidden min-[861px]:aspect-auto min-[861px]:min-h-[340px] rounded-[14px] bg-[linear-gradient(140deg,#2b3a42,#12181b_60%,#23313a)] text-white"
    >
      {stream && sight ? <Sight stream={stream} /> : null}
      {stream && !sight && sound ? <Waveform stream={stream} paused={view?.state === 'paused'} /> : null}
      {!sight && !sound ? <Off source={choice.source} phase={phase} view={view} /> : null}
      <StagePill phase={phase} view={view} />
      {stream && sight && sound ? <LevelMeter stream={stream} /> : null}
    </section>
  );
}

function StagePill({ phase, view }: { phase: string; view: RecordingView | undefined }) {
  if (phase === 'recording' && view?.state === 'waiting')
    return (
      <Pill tone="picture" className="absolute top-3.5 left-3.5">
        Waiting for a device
      </Pill>
    );
  if (phase === 'recording' && view?.state === 'paused')
    return (
      <Pill tone="picture" className="absolute top-3.5 left-3.5">
        Paused
      </Pill>
    );
  if (phase === 'recording')
    return (
      <Pill tone="picture" dot="recording" className="absolute top-3.5 left-3.5">
        Recording
      </Pill>
    );
  if (phase === 'preview')
    return (
      <Pill tone="picture" className="absolute top-3.5 left-3.5">
        Preview, not recording
      </Pill>
    );
  return null;
}

function Off({ source, phase, view }: { source: Source; phase: string; view: RecordingView | undefined }) {
  const { studio } = useParts();
  const barred = useBarred();
  const Icon = ICONS[source];
  if (phase === 'asking') {
    return <Centre>The browser is asking whether this page may use your {source}. Answer there.</Centre>;
  }
  if (view?.state === 'waiting')
    return <Centre>Nothing is being recorded at present. It goes on as soon as a device is there.</Centre>;
  if (view)
    return (
      <Centre>
        {view.state === 'recording'
          ? 'Recorded in another tab'
          : `Recorded ${clock(view.durationMs)}. The ${source} is off.`}
      </Centre>
    );
  if (barred) return <Centre>The {source} stays off.</Centre>;
  return (
    <Centre>
      <Icon aria-hidden="true" className="size-9 opacity-80" strokeWidth={1.5} />
      <span>The {source} is off. It is turned on when you press Start.</span>
      <Button
        size="small"
        className="border-white/30 bg-white/10 text-white hover:border-white/60"
        onClick={() => void studio.preview()}
      >
        {source === 'microphone' ? 'Try the sound first' : 'Show a preview first'}
      </Button>
    </Centre>
  );
}

function Centre({ children }: { children: ReactNode }) {
  return (
    <div className="absolute inset-0 flex flex-col items-center justify-center gap-3 px-6 text-balance text-center text-[14px] text-white/90">
      {children}
    </div>
  );
}

function Sight({ stream }: { stream: MediaStream }) {
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    if (video.current) video.current.srcObject = stream;
  }, [stream]);
  return (
    <video
      ref={video}
      autoPlay
      muted
      playsInline
      aria-label="Preview of the picture"
      className="absolute inset-0 size-full object-contain"
    />
  );
}
