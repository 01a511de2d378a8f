import { useEffect, useRef, useState } from 'react';
import { DownloadSeveral } from '../downloads/download-several';
import { counted } from '../format';
import { Button } from '../ui/button';
import { MOST, type Selecting } from './selecting';

/** What can be done with the recordings that are selected. Escape ends it. */
export function SelectBar({ selecting, shown }: { selecting: Selecting; shown: number }) {
  const { selected, toggleAll, end } = selecting;
  const [asking, setAsking] = useState(false);
  const bar = useRef<HTMLDivElement>(null);
  useEffect(() => {
    bar.current?.focus({ preventScroll: true });
    function onKeyDown(event: KeyboardEvent) {
      if (event.key === 'Escape' && !document.querySelector('dialog[open]')) end();
    }
    addEventListener('keydown', onKeyDown);
    return () => removeEventListener('keydown', onKeyDown);
  }, [end]);
  const count = selected.length;
  const many = count > MOST;
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would need a legend, and be none.
    <div
      ref={bar}
      role="group"
      tabIndex={-1}
      aria-label="Select recordings"
      className="sticky top-2 z-20 mt-4 flex flex-wrap items-center gap-2 rounded-xl border border-line bg-panel px-4 py-2.5 shadow-shade outline-none"
    >
      <p role="status" className="mr-auto text-[14px]">
        {many ? `At most ${counted(MOST, 'recording')} at once` : count === 0 ? 'None selected' : `${count} selected`}
      </p>
      <Button size="small" look="quiet" data-testid="select-all" onClick={toggleAll}>
        {shown > 0 && count === shown ? 'Select none' : 'Select all shown'}
      </Button>
      <Button
        size="small"
        look="main"
        data-testid="download-selected"
        aria-disabled={count === 0 || many || undefined}
        onClick={() => count > 0 && !many && setAsking(true)}
      >
        {count === 0 ? 'Download' : `Download ${counted(count, 'recording')}`}
      </Button>
      <Button size="small" look="quiet" onClick={end}>
        Done
      </Button>
      {asking ? (
        <DownloadSeveral
          recordings={selected.map(({ id, title }) => ({ id, title }))}
          onClose={() => setAsking(false)}
          onBegun={end}
        />
      ) : null}
    </div>
  );
}
