import type { RecordingView } from '../../recorder/types';
import { DeleteButton } from '../deleting/delete-button';
import { bytes, clock, moment, whole } from '../format';
import { titleOf } from '../library-rows';
import { useNow, useRecordedMs } from '../ticking';
import { Button } from '../ui/button';
import { Card } from '../ui/card';
import { Link } from '../ui/link';

/** The clock, and what the recording is so far. */
export function ProgressCard({ view, hints }: { view: RecordingView; hints: boolean }) {
  const recordedMs = useRecordedMs(view);
  const now = useNow(30_000);
  const running = view.state === 'recording' || view.state === 'paused' || view.state === 'waiting';
  return (
    <Card aria-label="Progress" className="flex flex-col">
      <p className="font-semibold text-[54px] leading-none tracking-[-0.03em] max-md:text-[44px]">
        <span className="sr-only">Recorded </span>
        <time>{clock(recordedMs)}</time>
      </p>
      <p className="mt-2 text-soft">{stateWords(view)}</p>
      <dl className="mt-5 grid grid-cols-2 gap-x-4 gap-y-3 text-[13px]">
        <Fact name="started" value={moment(view.startedAt, now)} />
        <Fact name="recorded" value={bytes(view.bytes)} />
        <Fact name="chunks" value={whole(view.chunks.length)} />
        <Fact name="not confirmed yet" value={bytes(view.bytesOnlyHere)} />
      </dl>
      <div className="mt-auto pt-5">
        {running ? (
          <p className="text-[13px] text-soft">
            {hints ? 'Keys: P pauses, S stops. ' : ''}You may leave this page for the recordings: recording goes on in
            this tab.
          </p>
        ) : null}
        <div className="mt-3 flex flex-wrap items-center gap-2">
          {running ? null : (
            <Button asChild size="small">
              <Link href={`/recordings/${view.id}`}>Play it and see its facts</Link>
            </Button>
          )}
          <DeleteButton
            doomed={{ id: view.id, title: titleOf(view), stored: null, view }}
            className={running ? '-ml-3' : ''}
          />
        </div>
      </div>
    </Card>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div className="flex flex-col-reverse">
      <dt className="text-soft">{name}</dt>
      <dd className="font-semibold text-[16px]">{value}</dd>
    </div>
  );
}

function stateWords(view: RecordingView): string {
  if (view.state === 'recording') return 'recorded so far';
  if (view.state === 'paused') return 'recorded so far, paused';
  if (view.state === 'waiting') return 'recorded until its device went away';
  if (view.state === 'stuck') return 'recorded; the server does not take the rest';
  return view.state === 'complete' ? 'recorded and complete' : 'recorded to the end';
}
