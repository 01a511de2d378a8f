import type { RecordingView } from '../../recorder/types';
import { isUploading, progressWords, shareOf, stateWords } from '../files/file-words';
import { bytes, clock, counted } from '../format';
import { heldOf, heldWords } from '../held-words';
import { SafeBar } from '../library/safe-bar';
import { titleOf } from '../library-rows';
import { isAllSafe } from '../promise';
import { Card, CardHead } from '../ui/card';
import { Link } from '../ui/link';
import { Pill } from '../ui/pill';

/** As many are listed here; the rest are in the library. */
const SHOWN = 5;

/** Other recordings with work on this device, being sent beside the one in view. */
export function Others({ views }: { views: readonly RecordingView[] }) {
  const busy = views.filter((view) => view.state !== 'complete' || view.chunksOnlyHere > 0);
  if (busy.length === 0) return null;
  return (
    <Card aria-labelledby="others-head">
      <CardHead id="others-head" title="Also on this device" aside={counted(busy.length, 'recording')} />
      <ul className="-mx-2">
        {busy.slice(0, SHOWN).map((view) => (
          <li key={view.id}>
            <Link
              href={`/recordings/${view.id}`}
              className="grid grid-cols-[1fr_auto] items-center gap-x-4 gap-y-1 rounded-lg px-2 py-2 hover:bg-paper sm:grid-cols-[1fr_auto_120px_auto]"
            >
              <span className="min-w-0 truncate font-medium">{titleOf(view)}</span>
              <span className="text-[13px] text-soft">
                {view.file ? progressWords(view.file) : `${clock(view.durationMs)} · ${bytes(view.bytes)}`}
              </span>
              <SafeBar safe={safeShare(view)} className="max-sm:hidden" />
              <OtherPill view={view} />
            </Link>
          </li>
        ))}
      </ul>
      {busy.length > SHOWN ? (
        <Link href="/recordings" className="mt-2 inline-block text-[13px] text-soft underline underline-offset-2">
          See all {busy.length}
        </Link>
      ) : null}
    </Card>
  );
}

function OtherPill({ view }: { view: RecordingView }) {
  if (view.file && isUploading(view)) {
    const { tone, words } = stateWords(view.file);
    return <Pill tone={tone}>{words}</Pill>;
  }
  if (view.state === 'stuck') return <Pill tone="alert">Needs attention</Pill>;
  if (view.state === 'recording' || view.state === 'paused' || view.state === 'waiting')
    return (
      <Pill tone="alert" dot="recording">
        Recording in another tab
      </Pill>
    );
  if (isAllSafe(view)) return <Pill tone="safe">Safe</Pill>;
  return <Pill tone="hold">{heldWords(heldOf([view]))}</Pill>;
}

function safeShare(view: RecordingView): number {
  if (view.file) return shareOf(view.file);
  return view.bytes === 0 ? 0 : (view.bytes - view.bytesOnlyHere) / view.bytes;
}
