import { useEffect, useId, useMemo, useState } from 'react';
import type { Problem } from '../../recorder/types';
import { problemOfCall } from '../api-calls';
import { bytes, counted } from '../format';
import { useParts } from '../parts';
import { problemWords } from '../problem-words';
import { go } from '../route';
import { Dialog } from '../ui/dialog';
import { Skeleton } from '../ui/skeleton';
import type { Availability } from './download-calls';
import { whyNotWords } from './download-words';
import { chosenOf } from './several';

interface DownloadSeveralProps {
  recordings: readonly { id: string; title: string }[];
  onClose: () => void;
  /** The download is on its way. */
  onBegun: () => void;
}

/** Says what of several recordings can be had, and how large it is, before a ZIP is made of them. */
export function DownloadSeveral({ recordings, onClose, onBegun }: DownloadSeveralProps) {
  const { downloads } = useParts();
  const [found, setFound] = useState<readonly Availability[] | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [withParts, setWithParts] = useState(false);
  const [busy, setBusy] = useState(false);
  const ids = recordings.map(({ id }) => id).join(' ');
  useEffect(() => {
    let gone = false;
    downloads.check(ids.split(' '), false).then(
      (answer) => !gone && setFound(answer),
      (error) => !gone && setProblem(problemOfCall(error)),
    );
    return () => {
      gone = true;
    };
  }, [downloads, ids]);
  const chosen = useMemo(() => chosenOf(found ?? [], withParts), [found, withParts]);

  async function begin() {
    if (busy) return;
    setBusy(true);
    setProblem(null);
    try {
      await downloads.begin(chosen.ids, withParts);
      onBegun();
      go('/downloads');
    } catch (error) {
      setProblem(problemOfCall(error));
      setBusy(false);
    }
  }

  return (
    <Dialog
      title={`Download ${counted(recordings.length, 'recording')}`}
      act={
        busy
          ? 'Asking…'
          : chosen.ids.length === 0
            ? 'Download'
            : `Download ${chosen.ids.length}, ${bytes(chosen.bytes)}`
      }
      actOff={busy || chosen.ids.length === 0}
      testId="begin-selected"
      onAct={() => void begin()}
      onClose={onClose}
    >
      {problem ? (
        <p role="alert" className="mb-3 rounded-lg bg-alert-soft px-3 py-2 text-ink">
          {problemWords(problem).heading}: {problem.detail}
        </p>
      ) : null}
      {found ? (
        <Answer found={found} titles={recordings} withParts={withParts} onWithParts={setWithParts} />
      ) : problem ? null : (
        <Skeleton className="h-16" />
      )}
    </Dialog>
  );
}

interface AnswerProps {
  found: readonly Availability[];
  titles: DownloadSeveralProps['recordings'];
  withParts: boolean;
  onWithParts: (on: boolean) => void;
}

function Answer({ found, titles, withParts, onWithParts }: AnswerProps) {
  const box = useId();
  const whole = chosenOf(found, false);
  const lacking = found.filter(({ available }) => !available);
  const partly = lacking.filter(({ chunks, bytes: size }) => chunks > 0 && size > 0);
  const kind = whole.ids.length === 1 ? 'as one file' : 'in one ZIP with a list of what is in it';
  return (
    <>
      <p role="status">
        {whole.ids.length === 0
          ? 'None of them can be had whole now.'
          : `${counted(whole.ids.length, 'recording')} can be had whole, ${bytes(whole.bytes)} together, ${kind}.`}
      </p>
      {lacking.length > 0 ? (
        <>
          <p className="mt-3">{whole.ids.length > 0 ? 'Left out:' : 'Why not:'}</p>
          <ul className="mt-1.5 grid max-h-56 gap-1 overflow-y-auto border-line border-l-2 pl-3.5">
            {lacking.map((one) => (
              <li key={one.recording_id} className="wrap-anywhere">
                <span className="font-medium text-ink">
                  {titles.find(({ id }) => id === one.recording_id)?.title ?? 'A recording'}
                </span>
                : {whyNotWords(one)}
              </li>
            ))}
          </ul>
        </>
      ) : null}
      {partly.length > 0 ? (
        <label htmlFor={box} className="mt-4 flex items-start gap-2.5 text-ink">
          <input
            id={box}
            type="checkbox"
            checked={withParts}
            onChange={(event) => onWithParts(event.target.checked)}
            className="mt-1 size-4 shrink-0 accent-ink"
          />
          <span className="text-pretty">
            Take what there is of {partly.length === 1 ? 'that one' : `${partly.length} of them`} as well. What the
            bucket does not hold is left out, and named in the ZIP’s list.
          </span>
        </label>
      ) : null}
    </>
  );
}
