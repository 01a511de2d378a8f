import type { RecordingView, Snapshot } from '../../recorder/types';
import { bytes, counted, milliseconds, rate, roughly } from '../format';
import { recordedRate, roomMs } from '../line-pace';
import { Card } from '../ui/card';

/** How fast it is recorded, sent and written, and how long there is room. */
export function Rates({ view, snapshot }: { view: RecordingView; snapshot: Snapshot }) {
  const recorded = recordedRate(view);
  const room = roomMs(snapshot, recorded);
  const { usage, quota } = snapshot.storage;
  const { count, p50Ms, worstMs } = snapshot.flush;
  return (
    <section aria-label="Rates" className="grid grid-cols-2 gap-3.5 lg:grid-cols-4">
      <Rate value={recorded === null ? '–' : rate(recorded)} name="recorded" />
      <Rate
        value={snapshot.uploadRate === null ? '–' : rate(snapshot.uploadRate)}
        name={`sent, ${counted(snapshot.uploadingNow, 'chunk')} on the way`}
      />
      <Rate
        value={count === 0 ? '–' : milliseconds(p50Ms)}
        name={count === 0 ? 'to disk' : `to disk, worst ${milliseconds(worstMs)}`}
      />
      <Rate
        value={room !== null ? roughly(room) : quota !== null && usage !== null ? bytes(quota - usage) : '–'}
        name={usage === null ? 'left on this device' : `left on this device, ${bytes(usage)} used`}
      />
    </section>
  );
}

function Rate({ value, name }: { value: string; name: string }) {
  return (
    <Card className="flex flex-col px-4 py-3.5 max-md:px-3.5 max-md:py-3">
      <b className="font-semibold text-[20px] tracking-[-0.01em] max-md:text-[18px]">{value}</b>
      <span className="text-[13px] text-soft leading-snug">{name}</span>
    </Card>
  );
}
