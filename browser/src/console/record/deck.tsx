import { Circle, Pause, Play, Plus, Square } from 'lucide-react';
import { useEffect } from 'react';
import type { RecordingView } from '../../recorder/types';
import { useParts, useSnapshot, useStudio } from '../parts';
import { Button, KeyHint } from '../ui/button';

/** Start, pause, stop: whichever make sense at present. Each has a key. */
export function Deck({ view, wide }: { view: RecordingView | undefined; wide?: boolean }) {
  const { studio } = useParts();
  const { phase, recordingId } = useStudio();
  const { ready } = useSnapshot();
  const size = wide ? 'large' : 'normal';
  const grow = wide ? 'flex-1' : '';
  if (phase === 'recording' || phase === 'stopping') {
    const paused = view?.state === 'paused';
    return (
      <>
        <Button
          data-testid="pause"
          size={size}
          className={grow}
          disabled={phase === 'stopping'}
          onClick={() => studio.togglePause(paused)}
        >
          {paused ? <Play aria-hidden="true" className="size-4" /> : <Pause aria-hidden="true" className="size-4" />}
          {paused ? 'Go on' : 'Pause'}
          <KeyHint>P</KeyHint>
        </Button>
        <Button
          data-testid="stop"
          look="stop"
          size={size}
          className={grow}
          disabled={phase === 'stopping'}
          onClick={() => void studio.stop()}
        >
          <Square aria-hidden="true" className="size-3.5 fill-current" />
          {phase === 'stopping' ? 'Stopping' : 'Stop'}
          <KeyHint>S</KeyHint>
        </Button>
      </>
    );
  }
  if (recordingId) {
    return (
      <Button data-testid="another" look="main" size={size} className={grow} onClick={() => studio.another()}>
        <Plus aria-hidden="true" className="size-4" />
        New recording
      </Button>
    );
  }
  return (
    <Button
      data-testid="start"
      look="main"
      size={wide ? 'large' : 'normal'}
      className={grow}
      disabled={!ready || phase === 'asking'}
      onClick={() => void studio.start()}
    >
      <Circle aria-hidden="true" className="size-3.5 fill-[#ff5d50] text-[#ff5d50]" />
      {phase === 'asking' ? 'Waiting for the browser' : 'Start recording'}
      <KeyHint>R</KeyHint>
    </Button>
  );
}

/** R begins, P pauses and goes on, S stops; never while somebody types, holds a modifier or is asked something. */
export function useDeckKeys(view: RecordingView | undefined): void {
  const { studio, safereel } = useParts();
  const paused = view?.state === 'paused';
  useEffect(() => {
    function onKeyDown(event: KeyboardEvent) {
      if (event.repeat || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      if (document.querySelector('dialog[open]')) return; // A question is open: keys belong to it.
      const { phase, recordingId } = studio.state.get();
      const key = event.key.toLowerCase();
      if (key === 'r' && phase !== 'recording' && !recordingId && safereel.snapshot().ready) void studio.start();
      else if (key === 'p' && phase === 'recording') studio.togglePause(paused);
      else if (key === 's' && phase === 'recording') void studio.stop();
      else return;
      event.preventDefault();
    }
    addEventListener('keydown', onKeyDown);
    return () => removeEventListener('keydown', onKeyDown);
  }, [studio, safereel, paused]);
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return (
    target.isContentEditable ||
    target.closest('input:not([type=radio]):not([type=checkbox]), textarea, select') !== null
  );
}
