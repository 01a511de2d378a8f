import { clock } from '../format';
import { titleOf } from '../library-rows';
import { useParts, useSnapshot, useStudio } from '../parts';
import { useRecordedMs } from '../ticking';
import { Button } from '../ui/button';
import { Link } from '../ui/link';
import { Pill } from '../ui/pill';

/** On the other pages: the recording under way, and its stop button. */
export function RunningStrip() {
  const { studio } = useParts();
  const { phase, recordingId } = useStudio();
  const view = useSnapshot().recordings.find(({ id }) => id === recordingId);
  const recordedMs = useRecordedMs(view);
  if (phase !== 'recording' && phase !== 'stopping') return null;
  return (
    <section
      aria-label="Recording under way"
      className="sticky top-0 z-30 flex items-center gap-x-4 border-line border-b bg-panel px-9 py-2.5 max-[860px]:gap-x-2.5 max-[860px]:px-4"
    >
      <Pill tone="alert" dot={view?.state === 'recording' ? 'recording' : 'still'}>
        {view?.state === 'paused' ? 'Paused' : view?.state === 'waiting' ? 'No device' : 'Recording'}
      </Pill>
      <Link href="/" className="min-w-0 truncate font-medium underline-offset-2 hover:underline">
        {view ? titleOf(view) : ''}
      </Link>
      <time className="ml-auto font-semibold">{clock(recordedMs)}</time>
      <Button
        data-testid="stop"
        look="stop"
        size="small"
        disabled={phase === 'stopping'}
        onClick={() => void studio.stop()}
      >
        Stop
      </Button>
    </section>
  );
}
