import { Disc3, Plus } from 'lucide-react';
import { type ReactNode, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { DeleteDialog } from '../deleting/delete-dialog';
import { DropZone } from '../files/drop-zone';
import { isUploading } from '../files/file-words';
import { FilesCard } from '../files/files-card';
import { UploadButton } from '../files/upload-button';
import type { Chosen } from '../files/uploads';
import { counted } from '../format';
import { hasLengths, type LibraryRow, mergeRows } from '../library-rows';
import { useDeletions, useParts, useSnapshot, useStudio } from '../parts';
import { problemWords } from '../problem-words';
import { Main } from '../shell/main';
import { Notices } from '../shell/notices';
import { useNow } from '../ticking';
import { Button } from '../ui/button';
import { Link } from '../ui/link';
import { Note } from '../ui/note';
import { Skeleton } from '../ui/skeleton';
import { BeingDeleted } from './being-deleted';
import { FindBar } from './find-bar';
import { found, needsAll } from './finding';
import { columnsOf, RecordingRow } from './recording-row';
import { SelectBar } from './select-bar';
import { useSelecting, whyNotSelectable } from './selecting';
import { useRecordings } from './use-recordings';
import { useWanted } from './use-wanted';

const HEADS = ['Title', 'Started', 'Length', 'Size', 'Safe so far', 'State'];

/** All recordings: those in the bucket, and those that so far are only on this device. */
export function LibraryPage() {
  const { bucket, deletions, uploads } = useParts();
  const add = useCallback((files: readonly Chosen[]) => uploads.add(files), [uploads]);
  const { recordings: views, connection } = useSnapshot();
  const { recordingId, phase } = useStudio();
  const running = phase === 'recording' || phase === 'stopping';
  const listing = useRecordings(bucket);
  const wishes = useDeletions();
  const rows = useMemo(() => mergeRows(listing.recordings, views, wishes), [listing.recordings, views, wishes]);
  const leaving = rows.filter(isLeaving);
  // What is being uploaded stands above the list, with what can be done about it.
  const present = useMemo(() => rows.filter((row) => !isLeaving(row) && !(row.view && isUploading(row.view))), [rows]);
  const [wanted, setWanted] = useWanted();
  const shown = useMemo(() => found(present, wanted), [present, wanted]);
  const selecting = useSelecting(shown);
  const lengths = hasLengths(present);
  const [asked, setAsked] = useState<string | null>(null);
  const doomed = rows.find(({ id }) => id === asked);
  const undo = useCallback((id: string) => deletions.undo(id), [deletions]);
  useRenewedOnceAnswered(connection, listing.renew);
  useRenewedAfter(wishes.filter(({ phase }) => phase === 'agreed').length, listing.renew);
  const now = useNow(60_000);
  useEffect(() => {
    document.title = 'Recordings · Safereel';
  }, []);
  const first = listing.status === 'loading' && listing.recordings.length === 0;

  return (
    <Main>
      <DropZone onChosen={add} />
      <div className="flex min-h-10 items-center justify-between gap-4">
        <h1 className="font-semibold text-[22px] tracking-[-0.01em]">Recordings</h1>
        <div className="flex gap-2">
          {selecting.on || shown.length === 0 ? null : (
            <Button look="quiet" data-testid="select" className="max-sm:px-3" onClick={selecting.begin}>
              Select
            </Button>
          )}
          <UploadButton multiple testId="file-input" data-testid="upload" className="max-sm:px-3" onChosen={add}>
            <span>
              Upload<span className="max-sm:sr-only"> a file</span>
            </span>
          </UploadButton>
          {running ? null : (
            <Button asChild look="main" className="max-sm:px-3">
              <Link href="/">
                <Plus aria-hidden="true" className="size-4 max-sm:hidden" />
                <span>
                  New<span className="max-sm:sr-only"> recording</span>
                </span>
              </Link>
            </Button>
          )}
        </div>
      </div>
      <Notices current={recordingId} />
      <FilesCard views={views} />
      {listing.problem?.code === 'network' ? (
        <p role="status" data-testid="unlisted" className="mt-4 text-pretty text-[13.5px] text-soft">
          Only what this device knows is listed. The recordings in your bucket are safe there, and are listed by
          themselves as soon as the server answers.
        </p>
      ) : listing.problem ? (
        <Note
          tone="alert"
          role="alert"
          className="mt-4"
          heading="The list of your bucket could not be read"
          code={listing.problem.code}
          actions={
            <Button size="small" onClick={() => void listing.again()}>
              Try again
            </Button>
          }
        >
          {problemWords(listing.problem).heading}: {listing.problem.detail} Nothing is changed by this; what this device
          holds is listed all the same.
        </Note>
      ) : null}
      {present.length > 1 ? (
        <FindBar
          wanted={wanted}
          onChange={setWanted}
          told={foundWords(shown.length, present.length, wanted.words, listing.cursor !== null)}
        />
      ) : null}
      {selecting.on ? (
        <SelectBar selecting={selecting} shown={shown.filter((row) => whyNotSelectable(row) === null).length} />
      ) : null}
      {shown.length > 0 || first ? (
        <Sheet lengths={lengths} busy={first}>
          {shown.map((row) => (
            <RecordingRow
              key={row.id}
              row={row}
              lengths={lengths}
              now={now}
              onAsk={setAsked}
              onUndo={undo}
              selected={selecting.on ? selecting.ids.has(row.id) : undefined}
              onSelect={selecting.toggle}
            />
          ))}
          {first ? <Shapes lengths={lengths} count={present.length > 0 ? 2 : 6} /> : null}
        </Sheet>
      ) : null}
      {present.length === 0 && listing.status === 'ready' && !views.some(isUploading) ? <Empty /> : null}
      {present.length > 0 && shown.length === 0 && listing.cursor === null ? (
        <NotFound words={wanted.words} onClear={() => setWanted({ ...wanted, words: '' })} />
      ) : null}
      {listing.cursor !== null && listing.status !== 'failed' ? (
        <More
          key={listing.cursor}
          onMore={() => void listing.more()}
          busy={listing.status === 'loading'}
          all={needsAll(wanted)}
        />
      ) : null}
      <BeingDeleted rows={leaving} now={now} />
      {doomed ? <DeleteDialog doomed={doomed} onClose={() => setAsked(null)} /> : null}
    </Main>
  );
}

/** Deleted for everybody, and nothing is in its way: it stands no longer among those that one has. */
function isLeaving({ deleting, stored }: LibraryRow): boolean {
  return deleting && (stored?.deletion?.failures ?? 0) === 0;
}

/** The list is read as soon as the line is back, not with its next look. */
function useRenewedOnceAnswered(connection: string, renew: () => Promise<void>): void {
  const before = useRef(connection);
  useEffect(() => {
    if (connection === 'online' && before.current !== 'online') void renew();
    before.current = connection;
  }, [connection, renew]);
}

/** A deletion that was agreed to shows in the list at once, not with its next look. */
function useRenewedAfter(agreed: number, renew: () => Promise<void>): void {
  useEffect(() => {
    if (agreed > 0) void renew();
  }, [agreed, renew]);
}

function Sheet({ lengths, busy, children }: { lengths: boolean; busy: boolean; children: ReactNode }) {
  return (
    <div className="mt-4 overflow-hidden rounded-[14px] border border-line bg-panel shadow-shade">
      <div
        aria-hidden="true"
        className={`hidden border-line border-b py-2.5 pr-14 pl-4 font-medium text-[12.5px] text-soft ${columnsOf(lengths)}`}
      >
        {HEADS.filter((head) => lengths || head !== 'Length').map((head) => (
          <span key={head} className={head === 'Length' || head === 'Size' ? 'text-right' : ''}>
            {head}
          </span>
        ))}
      </div>
      <ul aria-label="Recordings" aria-busy={busy}>
        {children}
      </ul>
    </div>
  );
}

/** Rows that are still coming, in the shape they will have. */
function Shapes({ lengths, count }: { lengths: boolean; count: number }) {
  return Array.from({ length: count }, (_, index) => (
    <li
      // biome-ignore lint/suspicious/noArrayIndexKey: shapes have nothing else to be told apart by.
      key={index}
      className={`border-line border-b px-4 py-[19px] last:border-b-0 md:items-center ${columnsOf(lengths)}`}
    >
      <Skeleton className={['h-4 w-2/3', 'h-4 w-1/2', 'h-4 w-3/5'][index % 3] ?? ''} />
      <Skeleton className="h-3.5 w-20 max-md:mt-2" />
      {lengths ? <Skeleton className="h-3.5 max-md:hidden" /> : null}
      <Skeleton className="h-3.5 max-md:hidden" />
      <Skeleton className="h-2 max-md:mt-2" />
      <Skeleton className="h-6 w-24 rounded-full max-md:mt-2" />
    </li>
  ));
}

function Empty() {
  return (
    <div className="mt-4 flex flex-col items-center rounded-[14px] border border-faint border-dashed px-6 py-14 text-center">
      <Disc3 aria-hidden="true" className="mb-3 size-9 text-safe" strokeWidth={1.5} />
      <h2 className="font-semibold text-[17px]">Nothing recorded yet</h2>
      <p className="mt-1 mb-5 max-w-[46ch] text-pretty text-soft">
        A recording appears here with its first second, and says at any time how much of it is safe in your bucket.
        Files can be dropped here as well.
      </p>
      <Button asChild look="main">
        <Link href="/">Make the first one</Link>
      </Button>
    </div>
  );
}

/** What was found, for eyes and for screen readers; nothing where nothing is looked for. */
function foundWords(shown: number, all: number, words: string, more: boolean): string {
  if (words.trim() === '') return '';
  return more ? `${shown} of ${all} so far, looking further` : `${shown} of ${counted(all, 'recording')}`;
}

function NotFound({ words, onClear }: { words: string; onClear: () => void }) {
  return (
    <div className="mt-4 flex flex-col items-center rounded-[14px] border border-faint border-dashed px-6 py-12 text-center">
      <h2 className="font-semibold text-[17px]">No recording has “{words.trim()}” in its title or state</h2>
      <Button className="mt-4" onClick={onClear}>
        Show all
      </Button>
    </div>
  );
}

/** Asks for the next page as its end comes into view, or at once where `all` are wanted; a button for those who do not scroll. */
function More({ onMore, busy, all }: { onMore: () => void; busy: boolean; all: boolean }) {
  const end = useRef<HTMLDivElement>(null);
  const ask = useRef(onMore);
  ask.current = onMore;
  useEffect(() => {
    if (all && !busy) ask.current();
  }, [all, busy]);
  useEffect(() => {
    const seen = new IntersectionObserver(([entry]) => entry?.isIntersecting && ask.current(), { rootMargin: '600px' });
    if (end.current) seen.observe(end.current);
    return () => seen.disconnect();
  }, []);
  return (
    <div ref={end} className="mt-4 flex justify-center">
      <Button disabled={busy} onClick={onMore}>
        {busy ? 'Reading more' : 'Show older ones'}
      </Button>
    </div>
  );
}
