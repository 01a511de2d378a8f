import { ArrowLeft } from 'lucide-react';
import { type ReactNode, useEffect, useMemo } from 'react';
import type { StoredStatus } from '../bucket-view';
import { DeleteButton } from '../deleting/delete-button';
import { DownloadButton } from '../downloads/download-button';
import { DownloadPanel } from '../downloads/download-panel';
import { bytes, clock, counted, moment, rangeList } from '../format';
import { type Held, heldOf } from '../held-words';
import { listAddress } from '../library/use-wanted';
import { longest, stateOfWish, titleOf, tries } from '../library-rows';
import { useDeletions, useParts, useSnapshot, useStudio } from '../parts';
import { problemWords } from '../problem-words';
import { lengthOf, pauseOf, stateOf, summaryOf } from '../recording-summary';
import { ShareButton } from '../sharing/share-button';
import { Main } from '../shell/main';
import { Notices } from '../shell/notices';
import { storedTape } from '../stored-tape';
import { Tape } from '../tape/tape';
import { useNow } from '../ticking';
import { Button } from '../ui/button';
import { Card, CardHead } from '../ui/card';
import { Link } from '../ui/link';
import { Note } from '../ui/note';
import { Pill } from '../ui/pill';
import { Skeleton } from '../ui/skeleton';
import { Digests } from './digests';
import { harmOf } from './harm-words';
import { Player } from './player';
import { type Stored, useStored } from './use-stored';

/** One recording: played from the bucket, with its tape as the timeline and all that is known of it. */
export function RecordingPage({ id }: { id: string }) {
  const { bucket } = useParts();
  const snapshot = useSnapshot();
  const { recordingId } = useStudio();
  const view = snapshot.recordings.find((one) => one.id === id);
  const stored = useStored(bucket, id);
  const { status, chunks, problem, loading } = stored;
  const tape = useMemo(
    () => storedTape(chunks, view?.chunks ?? [], status?.chunk_count ?? null),
    [chunks, view?.chunks, status?.chunk_count],
  );
  const title = titleOf({ title: status?.title || view?.title || null });
  const wish = useDeletions().find((one) => one.id === id);
  const deleted = problem?.code === 'recording_deleted' || status?.state === 'deleting' || wish?.phase === 'agreed';
  const unknown = problem?.status === 404 && !view;
  const gone = deleted || unknown;
  useEffect(() => {
    document.title = `${deleted ? 'Deleted recording' : title} · Safereel`;
  }, [title, deleted]);

  const state = gone ? null : (stateOfWish(wish) ?? stateOf(status, view));
  return (
    <Main data-recording-id={id} data-recording-state={view?.state ?? status?.state ?? ''}>
      <Link
        href={listAddress()}
        className="-ml-1 inline-flex items-center gap-1.5 rounded px-1 text-[13.5px] text-soft hover:text-ink"
      >
        <ArrowLeft aria-hidden="true" className="size-3.5" />
        Recordings
      </Link>
      <div className="mt-1 flex flex-wrap items-center gap-x-4 gap-y-1.5">
        {loading && !view ? (
          <>
            <h1 className="sr-only">Recording</h1>
            <Skeleton className="my-1 h-6 w-64" />
          </>
        ) : (
          <h1 className="min-w-0 break-words font-semibold text-[22px] tracking-[-0.01em]">
            {deleted ? 'This recording was deleted' : unknown ? 'There is no such recording' : title}
            {deleted ? <DeletedAt deletion={status?.deletion ?? null} /> : null}
          </h1>
        )}
        {state ? (
          <Pill tone={state.tone} dot={state.recording ? 'recording' : 'still'}>
            {state.words}
          </Pill>
        ) : null}
        {gone || (loading && !view) ? null : (
          <div className="-mr-2 ml-auto flex flex-wrap items-center gap-2">
            {status ? <DownloadButton id={id} /> : null}
            <ShareButton status={status} title={title} />
            <DeleteButton doomed={{ id, title, stored: status, view }} />
          </div>
        )}
      </div>
      <Notices current={recordingId} />
      {gone ? (
        <>
          <p className="mt-2 max-w-[64ch] text-pretty text-soft">
            {deleted
              ? 'Nobody can read it any more. Your bucket is being cleared of it, every version, and each device that holds any of it drops that when it is next online.'
              : 'It may belong to somebody else, or its owner deleted it. Nothing else is affected.'}
          </p>
          <NotCleared failures={status?.deletion?.failures ?? 0} />
          <Button asChild className="mt-5">
            <Link href="/recordings">To the recordings</Link>
          </Button>
        </>
      ) : (
        <>
          <p className="mt-2 text-pretty text-[17px]">{summaryOf(status, view, snapshot)}</p>
          <LookFailed stored={stored} again={stored.again} />
          <DownloadPanel id={id} />
          {pauseOf(status) ? (
            <Note tone="hold" className="mt-3">
              {pauseOf(status)}
            </Note>
          ) : null}
          {harmOf(status, tape, view).map(({ kind, heading, rest }) => (
            <Note key={kind} tone="alert" role="status" data-testid={kind} heading={heading} className="mt-3">
              {rest}
            </Note>
          ))}
          {loading && !view ? (
            <Shapes />
          ) : (
            <div className="mt-5 grid gap-[18px] min-[861px]:grid-cols-[1.7fr_1fr]">
              <Player
                id={id}
                pages={bucket}
                title={title}
                mimeType={status?.mime_type ?? view?.mimeType ?? ''}
                chunks={chunks}
                complete={status?.complete ?? false}
              />
              <Facts
                stored={stored}
                lengthMs={longest(view?.durationMs ?? null, status?.duration_ms ?? null)}
                startedAt={view?.startedAt ?? null}
                held={heldOf(view ? [view] : [])}
              />
            </div>
          )}
          {tape.length > 0 ? (
            <>
              <Card aria-labelledby="tape-head" className="mt-[18px]">
                <CardHead id="tape-head" title="Chunks" aside={tapeWords(tape)} />
                <Tape chunks={tape} recordingId={id} />
              </Card>
              <Card aria-label="Digests" className="mt-[18px] overflow-x-auto">
                <Digests chunks={tape} />
              </Card>
            </>
          ) : null}
        </>
      )}
    </Main>
  );
}

function LookFailed({ stored: { problem }, again }: { stored: Stored; again: () => void }) {
  if (!problem) return null;
  return (
    <Note
      tone="hold"
      role="status"
      className="mt-4"
      heading={problemWords(problem).heading}
      code={problem.code}
      actions={
        <Button size="small" onClick={again}>
          Try again
        </Button>
      }
    >
      {problem.detail} What is shown may be older than what is true; it is looked up again by itself.
    </Note>
  );
}

/** When it was deleted, as long as the server tells it. */
function DeletedAt({ deletion }: { deletion: StoredStatus['deletion'] }) {
  const now = useNow(60_000);
  if (!deletion) return null;
  return (
    <>
      {' '}
      <time dateTime={deletion.requested_at} className="whitespace-nowrap font-normal text-soft">
        ({moment(Date.parse(deletion.requested_at), now)})
      </time>
    </>
  );
}

/** A deletion that the bucket does not take is never forgotten, and never silent. */
function NotCleared({ failures }: { failures: number }) {
  if (failures === 0) return null;
  return (
    <Note tone="alert" role="status" className="mt-4" heading="Your bucket still holds some of it">
      It could not be cleared so far: {tries(failures)} failed. It is tried again by itself until nothing is left; if
      this stays so, tell whoever runs the bucket.
    </Note>
  );
}

interface FactsProps {
  stored: Stored;
  lengthMs: number | null;
  startedAt: number | null;
  held: Held;
}

function Facts({ stored: { status }, lengthMs, startedAt, held }: FactsProps) {
  const now = useNow(60_000);
  return (
    <Card aria-labelledby="facts-head" className="self-start">
      <CardHead id="facts-head" title="Facts" />
      <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-5 gap-y-2 text-[14px]">
        <Fact name="Started">
          {startedAt ? moment(startedAt, now) : status ? moment(Date.parse(status.created_at), now) : '–'}
        </Fact>
        {lengthMs === null ? null : <Fact name="Length">{clock(lengthMs)}</Fact>}
        {status ? (
          <>
            <Fact name="In the bucket">
              {counted(status.received_chunks, 'chunk')}, {bytes(status.received_bytes)}
            </Fact>
            <Fact name="Acknowledged">{rangeList(status.received) || 'none yet'}</Fact>
            <Fact name="Confirmed">
              {rangeList(status.confirmed) || 'none yet'}{' '}
              <span className="text-soft">({bytes(status.confirmed_bytes)})</span>
            </Fact>
            {lengthOf(status.missing) > 0 ? <Fact name="To be sent again">{rangeList(status.missing)}</Fact> : null}
            {lengthOf(status.lost) > 0 ? <Fact name="Lost">{rangeList(status.lost)}</Fact> : null}
            {status.chunk_count === null ? null : <Fact name="In all">{counted(status.chunk_count, 'chunk')}</Fact>}
            {status.completed_at ? <Fact name="Complete">{moment(Date.parse(status.completed_at), now)}</Fact> : null}
          </>
        ) : null}
        {held.onlyHere > 0 ? <Fact name="Only on this device">{counted(held.onlyHere, 'chunk')}</Fact> : null}
        {held.proving > 0 ? <Fact name="Being confirmed">{counted(held.proving, 'chunk')}</Fact> : null}
        <Fact name="Type">
          <code className="break-all font-mono text-[12px]">{status?.mime_type ?? '–'}</code>
        </Fact>
        <Fact name="Id">
          <code className="select-all break-all font-mono text-[12px]">{status?.id ?? '–'}</code>
        </Fact>
      </dl>
    </Card>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt className="text-soft">{name}</dt>
      <dd className="min-w-0 break-words">{children}</dd>
    </>
  );
}

function Shapes() {
  return (
    <div className="mt-5 grid gap-[18px] min-[861px]:grid-cols-[1.7fr_1fr]">
      <Skeleton className="aspect-video rounded-[14px]" />
      <Skeleton className="rounded-[14px] max-[860px]:h-40" />
    </div>
  );
}

function tapeWords(tape: readonly { size: number; segment: number }[]): string {
  const parts = new Set(tape.map(({ segment }) => segment)).size;
  const size = bytes(tape.reduce((sum, chunk) => sum + chunk.size, 0));
  return `${counted(tape.length, 'chunk')} · ${size}${parts > 1 ? ` · ${counted(parts, 'part')}` : ''}`;
}
