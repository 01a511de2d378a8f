import { useSnapshot } from '../parts';
import { Note } from '../ui/note';
import { roomWords } from './room-words';
import { SaveButton } from './save-button';

/** Room on this device runs out, or has: what is safe, what waits in memory, and the way out. */
export function RoomNotice({ current }: { current: string | null }) {
  const words = roomWords(useSnapshot(), current);
  if (!words) return null;
  const { heading, rest, code, save } = words;
  return (
    <Note
      tone="alert"
      role={code ? 'alert' : 'status'}
      data-testid="room"
      heading={heading}
      code={code}
      actions={save ? <SaveButton id={save} /> : null}
    >
      {rest}
    </Note>
  );
}
