import { useState } from 'react';
import { counted } from '../format';
import { useParts, useSnapshot } from '../parts';
import { Button } from '../ui/button';
import { deviceWords, REFUSED } from './device-words';

/** What this device keeps, and whether the browser may throw it away. */
export function DeviceFoot() {
  const snapshot = useSnapshot();
  const { foreignChunks } = snapshot;
  const { kept, share, warning } = deviceWords(snapshot);
  return (
    <section aria-label="This device" className="px-2.5 text-[13px] text-soft leading-snug">
      <p>{kept}</p>
      {share > 0 ? (
        <div aria-hidden="true" className="mt-1.5 h-1 overflow-hidden rounded-full bg-line">
          <i className="block h-full min-w-0.5 rounded-full bg-soft" style={{ width: `${share * 100}%` }} />
        </div>
      ) : null}
      {warning ? <Unprotected warning={warning} /> : null}
      {foreignChunks > 0 ? (
        <p className="mt-1.5">
          {counted(foreignChunks, 'chunk')} of somebody else are kept here, and sent when they sign in.
        </p>
      ) : null}
    </section>
  );
}

/** The browser may clear what is here: it is asked again, in a click, since some ask the person then. */
function Unprotected({ warning }: { warning: string }) {
  const { safereel } = useParts();
  const [asked, setAsked] = useState<'not' | 'asking' | 'refused'>('not');
  async function ask() {
    setAsked('asking');
    setAsked((await safereel.persist()) ? 'not' : 'refused');
  }
  return (
    <>
      <p className="mt-1.5">{warning}</p>
      <Button
        size="small"
        className="mt-2"
        data-testid="persist"
        disabled={asked === 'asking'}
        onClick={() => void ask()}
      >
        {asked === 'refused' ? 'Ask the browser again' : 'Ask the browser to keep it'}
      </Button>
      <p role="status" className="mt-1.5 empty:hidden">
        {asked === 'refused' ? REFUSED : ''}
      </p>
    </>
  );
}
