import type { ReactNode } from 'react';
import type { Problem, RecordingDeleted, RecordingView } from '../../recorder/types';
import { deletedWords } from '../deleting/delete-words';
import { counted, whole } from '../format';
import type { Recovered } from '../happenings';
import { titleOf } from '../library-rows';
import { useHappenings, useParts, useSession, useSnapshot } from '../parts';
import { problemWords } from '../problem-words';
import { QuotaNotice } from '../quota/quota-notice';
import { Button } from '../ui/button';
import { Link } from '../ui/link';
import { Note } from '../ui/note';
import { ClockNotice } from './clock-notice';
import { LineNotice } from './line-notice';
import { RoomNotice } from './room-notice';
import { SaveButton } from './save-button';
import { TokenForm } from './token-form';

/** Codes that a notice of their own already tells. */
const TOLD_ELSEWHERE = new Set(['token_unavailable', 'network', 'storage_low']);

/** All that stands above a page: who is signed in, the line, the space, what was recovered, what needs attention. */
export function Notices({ current }: { current: string | null }) {
  const snapshot = useSnapshot();
  const { recovered, problems, deleted } = useHappenings();
  const session = useSession();
  const signIn = session === 'signed_out' || session === 'refused' || session === 'unreachable';
  const stuck = snapshot.recordings.filter(({ state }) => state === 'stuck');
  const told = new Set(stuck.map(({ problem }) => problem?.code));
  return (
    <div className="mt-4 grid gap-2.5 empty:hidden">
      <SignInNotice />
      <LineNotice />
      <QuotaNotice />
      <RoomNotice current={current} />
      <ClockNotice />
      {problems
        .filter(({ code }) => !TOLD_ELSEWHERE.has(code) && !told.has(code) && !(signIn && code === 'owner_unknown'))
        .map((problem) => (
          <ProblemNotice key={problem.code} problem={problem} />
        ))}
      {stuck.map((view) => (
        <StuckNotice key={view.id} view={view} />
      ))}
      {deleted.map((one) => (
        <DeletedNotice key={one.recordingId} deleted={one} />
      ))}
      {recovered.map((one) => (
        <RecoveredNotice
          key={one.recordingId}
          recovered={one}
          view={snapshot.recordings.find(({ id }) => id === one.recordingId)}
        />
      ))}
    </div>
  );
}

function SignInNotice() {
  const { reason } = useParts().session;
  const session = useSession();
  const { ready } = useSnapshot();
  if (session === 'unreachable') {
    return (
      <Note tone="hold" heading="The server cannot be reached" role="status">
        {ready
          ? 'You can record: everything is kept on this device and sent as soon as the server answers.'
          : 'Nobody has recorded on this device before, so it is not known whose recording it would be. The page has to reach the server once.'}
      </Note>
    );
  }
  if (session !== 'signed_out' && session !== 'refused') return null;
  return (
    <Note
      tone={session === 'refused' ? 'alert' : 'hold'}
      role={session === 'refused' ? 'alert' : undefined}
      data-testid="sign-in"
      data-session={session}
      heading={session === 'refused' ? 'The token was not accepted' : 'Signed out'}
    >
      {session === 'refused'
        ? `${reason ?? 'It may have expired.'} What is on this device stays here and is not sent until a good token is given.`
        : 'To record and to send, paste a token from your service. What is on this device stays here meanwhile.'}
      <TokenForm />
    </Note>
  );
}

function ProblemNotice({ problem }: { problem: Problem }) {
  const { happenings } = useParts();
  const { heading, fatal } = problemWords(problem);
  return (
    <Note
      tone="alert"
      role="alert"
      heading={heading}
      code={problem.code}
      actions={fatal ? <Reload /> : <Dismiss onClick={() => happenings.dismissProblem(problem.code)} />}
    >
      {problem.detail}
    </Note>
  );
}

function Reload() {
  return (
    <Button size="small" onClick={() => location.reload()}>
      Reload the page
    </Button>
  );
}

function Dismiss({ onClick }: { onClick: () => void }) {
  return (
    <Button size="small" look="quiet" onClick={onClick}>
      Got it
    </Button>
  );
}

function StuckNotice({ view }: { view: RecordingView }) {
  const { chunksOnlyHere: held, problem } = view;
  return (
    <Note
      tone="alert"
      heading={`“${titleOf(view)}” cannot be sent on`}
      code={problem?.code}
      actions={held > 0 ? <SaveButton id={view.id} /> : null}
    >
      {problem?.detail ?? 'The server refuses it.'}{' '}
      {held > 0 ? `${counted(held, 'chunk')} stay on this device and are not deleted.` : ''}{' '}
      <Link href={`/recordings/${view.id}`} className="underline underline-offset-2">
        See the recording
      </Link>
    </Note>
  );
}

/** Somebody who may decided it elsewhere: who sits here has to know where it went. */
function DeletedNotice({ deleted }: { deleted: RecordingDeleted }) {
  const { happenings } = useParts();
  const { recordingId, wasRecording } = deleted;
  const { heading, rest } = deletedWords(deleted);
  return (
    <Note
      tone={wasRecording ? 'alert' : 'plain'}
      role={wasRecording ? 'alert' : 'status'}
      data-testid="deleted-notice"
      data-id={recordingId}
      heading={heading}
      actions={<Dismiss onClick={() => happenings.dismissDeleted(recordingId)} />}
    >
      {rest}
    </Note>
  );
}

function RecoveredNotice({ recovered, view }: { recovered: Recovered; view: RecordingView | undefined }): ReactNode {
  const { happenings } = useParts();
  const left = view?.chunksOnlyHere ?? 0;
  const one = recovered.chunks === 1;
  const title = view ? `“${titleOf(view)}”` : 'a recording';
  return (
    <Note
      tone={left > 0 ? 'hold' : 'safe'}
      role="status"
      data-testid="recovered-notice"
      data-id={recovered.recordingId}
      actions={left > 0 ? null : <Dismiss onClick={() => happenings.dismissRecovered(recovered.recordingId)} />}
    >
      Recovered: {counted(recovered.chunks, 'chunk')} of {title} {one ? 'was' : 'were'} found on this device from your
      last visit.{' '}
      {left > 0 ? `${one ? 'It is' : 'They are'} being sent.` : `${one ? 'It is' : 'All are'} safe in your bucket now.`}
      {left > 0 && left !== recovered.chunks ? ` ${whole(left)} to go.` : ''}
    </Note>
  );
}
