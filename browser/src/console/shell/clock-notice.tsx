import { useState } from 'react';
import { useClockAhead } from '../parts';
import { Button } from '../ui/button';
import { Note } from '../ui/note';
import { clockWords } from './clock-words';

/** This device's clock is wrong, or was just set: nothing is lost by it, but times of day may be wrong. */
export function ClockNotice() {
  const [read, setRead] = useState(false);
  const ahead = useClockAhead();
  if (ahead === 0 || read) return null;
  const { heading, rest } = clockWords(ahead);
  return (
    <Note
      tone="plain"
      role="status"
      data-testid="clock"
      heading={heading}
      actions={
        <Button size="small" look="quiet" onClick={() => setRead(true)}>
          Got it
        </Button>
      }
    >
      {rest}
    </Note>
  );
}
