import { useParts, useStudio } from '../parts';
import { AlertDialog } from '../ui/alert-dialog';
import { captureWords, type Doomed, whatGoes } from './delete-words';
import { UNDO_MS } from './deletions';

interface DeleteDialogProps {
  doomed: Omit<Doomed, 'recordedHere'>;
  onClose: () => void;
}

/** Says what goes, and deletes it, with time to undo, only then. What this tab records of it is stopped at once. */
export function DeleteDialog({ doomed: given, onClose }: DeleteDialogProps) {
  const { deletions, studio } = useParts();
  const doomed = { ...given, recordedHere: useIsRecordedHere(given.id) };
  function confirm() {
    deletions.ask(given.id, given.title);
    if (doomed.recordedHere) void studio.stop();
  }
  return (
    <AlertDialog
      title={`Delete “${given.title}”?`}
      act={doomed.recordedHere ? 'Stop and delete' : 'Delete'}
      onAct={confirm}
      cancel="Keep it"
      onClose={onClose}
    >
      <WhatGoes doomed={doomed} />
    </AlertDialog>
  );
}

/** Whether this very tab records it. */
export function useIsRecordedHere(id: string): boolean {
  const { phase, recordingId } = useStudio();
  return recordingId === id && (phase === 'recording' || phase === 'stopping');
}

function WhatGoes({ doomed }: { doomed: Doomed }) {
  const capture = captureWords(doomed);
  return (
    <>
      {capture ? <p className="mb-3.5 rounded-lg bg-alert-soft px-3 py-2 text-ink">{capture}</p> : null}
      <p>This goes, for good:</p>
      <dl className="mt-2 grid gap-y-2 border-line border-l-2 pl-3.5">
        {whatGoes(doomed).map(({ where, what }) => (
          <div key={where}>
            <dt className="font-medium text-ink">{where}</dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <p className="mt-3.5">
        You have {UNDO_MS / 1000} seconds to undo it. Leaving this page ends them. After that nobody can bring it back.
      </p>
    </>
  );
}
