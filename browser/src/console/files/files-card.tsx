import { Pause, Play, X } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import type { FileProgress, RecordingView } from '../../recorder/types';
import { counted } from '../format';
import { titleOf } from '../library-rows';
import { useParts, useUploads } from '../parts';
import { problemWords } from '../problem-words';
import { useNow } from '../ticking';
import { AlertDialog } from '../ui/alert-dialog';
import { Button } from '../ui/button';
import { Card, CardHead } from '../ui/card';
import { classNames } from '../ui/class-names';
import { Link } from '../ui/link';
import { Note } from '../ui/note';
import { Pill } from '../ui/pill';
import { isUploading, neededWords, progressWords, shareOf, stateWords } from './file-words';
import { UploadButton } from './upload-button';
import type { Attempt } from './uploads';

/** The files on their way to the bucket, and what is to be said of those that are not. */
export function FilesCard({ views }: { views: readonly RecordingView[] }) {
  const attempts = useUploads();
  const uploading = views.filter(isUploading);
  const now = useNow(60_000);
  const [asked, setAsked] = useState<RecordingView | null>(null);
  const { uploads } = useParts();
  return (
    <>
      <News views={views} />
      {attempts.length > 0 ? (
        <div className="mt-4 grid gap-2.5">
          {attempts.map((attempt) => (
            <AttemptNote key={attempt.key} attempt={attempt} />
          ))}
        </div>
      ) : null}
      {uploading.length > 0 ? (
        <Card aria-labelledby="files-head" className="mt-4">
          <CardHead id="files-head" title="Uploading" aside={counted(uploading.length, 'file')} />
          <ul aria-label="Files being uploaded" className="grid grid-cols-[minmax(0,1fr)] divide-y divide-line">
            {uploading.map((view) =>
              view.file ? (
                <FileRow key={view.id} view={view} file={view.file} now={now} onCancel={() => setAsked(view)} />
              ) : null,
            )}
          </ul>
        </Card>
      ) : null}
      {asked ? (
        <AlertDialog
          title={`Cancel the upload of “${titleOf(asked)}”?`}
          act="Cancel the upload"
          onAct={() => void uploads.cancel(asked.id, titleOf(asked))}
          cancel="Keep uploading"
          onClose={() => setAsked(null)}
        >
          What was sent of it is deleted from your bucket, for good. The file itself stays as it is.
        </AlertDialog>
      ) : null}
    </>
  );
}

interface FileRowProps {
  view: RecordingView;
  file: FileProgress;
  now: number;
  onCancel: () => void;
}

function FileRow({ view, file, now, onCancel }: FileRowProps) {
  const { uploads } = useParts();
  const title = titleOf(view);
  const { tone, words } = stateWords(file);
  const paused = file.state === 'paused';
  return (
    <li data-testid="file-row" data-id={view.id} data-state={file.state} className="py-3 first:pt-1 last:pb-0">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <div className="min-w-0 flex-1 basis-[220px]">
          <p className="truncate font-medium">{title}</p>
          <p className="text-[13px] text-soft tabular-nums">{progressWords(file)}</p>
        </div>
        <Pill tone={tone}>{words}</Pill>
        <div className="ml-auto flex gap-1.5">
          {file.state === 'sending' || paused ? (
            <Button
              look="quiet"
              size="icon"
              data-testid="file-pause"
              aria-label={`${paused ? 'Go on with' : 'Pause'} the upload of ${title}`}
              title={paused ? 'Go on' : 'Pause'}
              onClick={() => uploads.pause(view.id, !paused)}
            >
              {paused ? (
                <Play aria-hidden="true" className="size-4" />
              ) : (
                <Pause aria-hidden="true" className="size-4" />
              )}
            </Button>
          ) : null}
          <Button
            look="quiet"
            size="icon"
            data-testid="file-cancel"
            aria-label={`Cancel the upload of ${title}`}
            title="Cancel"
            onClick={onCancel}
          >
            <X aria-hidden="true" className="size-4" />
          </Button>
        </div>
      </div>
      <Bar file={file} title={title} />
      {file.state === 'source_needed' ? <Needed view={view} file={file} now={now} /> : null}
      {file.state !== 'source_needed' && view.problem ? (
        <p className="mt-2 text-[13px] text-alert-ink">{view.problem.detail}</p>
      ) : null}
    </li>
  );
}

function Bar({ file, title }: { file: FileProgress; title: string }) {
  const percent = Math.floor(shareOf(file) * 100);
  return (
    <div
      role="progressbar"
      aria-label={`Upload of ${title}`}
      aria-valuenow={percent}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuetext={`${percent} percent: ${progressWords(file)}`}
      className="mt-2 h-2 overflow-hidden rounded bg-line"
    >
      <div
        className={classNames(
          'h-full rounded bg-safe transition-[width] duration-300 motion-reduce:transition-none',
          file.state !== 'sending' && 'opacity-45',
        )}
        style={{ width: `${shareOf(file) * 100}%` }}
      />
    </div>
  );
}

/** Its file has to be had again: by asking the browser, or by choosing it once more. */
function Needed({ view, file, now }: { view: RecordingView; file: FileProgress; now: number }) {
  const { uploads } = useParts();
  return (
    <Note
      tone="alert"
      className="mt-3"
      data-testid="file-needed"
      heading={view.problem ? problemWords(view.problem).heading : 'The file is needed again'}
      code={view.problem?.code}
      actions={
        <>
          {file.reopenable ? (
            <Button size="small" data-testid="file-reopen" onClick={() => void uploads.reopen(view.id, file.name)}>
              Allow reading it
            </Button>
          ) : null}
          <UploadButton
            size="small"
            testId="file-again"
            onChosen={([chosen]) => chosen && uploads.goOn(view.id, chosen)}
          >
            Choose it again
          </UploadButton>
        </>
      }
    >
      {neededWords(file, now, view.problem?.code)}
    </Note>
  );
}

function AttemptNote({ attempt }: { attempt: Attempt }): ReactNode {
  const { uploads } = useParts();
  const { key, name, state, id, problem } = attempt;
  const dismiss = (
    <Button size="small" look="quiet" onClick={() => uploads.dismiss(key)}>
      Dismiss
    </Button>
  );
  if (state === 'looking')
    return (
      <Note tone="plain" role="status" data-testid="file-looking">
        Looking at “{name}”: it is compared with what was uploaded from here before.
      </Note>
    );
  if (state === 'already')
    return (
      <Note
        tone="safe"
        role="status"
        data-testid="file-already"
        data-id={id}
        heading={`“${name}” is in your bucket already`}
        actions={
          <>
            <Button asChild size="small">
              <Link href={`/recordings/${id}`}>Open it</Link>
            </Button>
            <Button size="small" data-testid="file-anyway" onClick={() => uploads.again(attempt)}>
              Upload it again
            </Button>
            {dismiss}
          </>
        }
      >
        Exactly this file was uploaded from this device before, so nothing was sent.
      </Note>
    );
  return (
    <Note
      tone="alert"
      role="alert"
      data-testid="file-refused"
      heading={`“${name}”: ${problem ? problemWords(problem).heading : 'not uploaded'}`}
      code={problem?.code}
      actions={dismiss}
    >
      {problem?.detail}
    </Note>
  );
}

/** What changed, for those who listen: not each step, but each state. */
function News({ views }: { views: readonly RecordingView[] }) {
  const words = views.flatMap((view) => (view.file ? [`${titleOf(view)}: ${stateWords(view.file).words}`] : []));
  return (
    <p role="status" className="sr-only">
      {words.join('. ')}
    </p>
  );
}
