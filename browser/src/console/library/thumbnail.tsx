import { Film, Mic } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { isGoing, type LibraryRow } from '../library-rows';
import { useParts } from '../parts';
import type { Glimpse } from './glimpses';

/** Somebody who scrolls by does not want it: only rows that stay in view this long are looked into. */
const STAYS_MS = 250;

/** How a recording begins, at the size of a row; fetched once the row is in view. It says nothing that words do not, so it is hidden from readers. */
export function Thumbnail({ row }: { row: LibraryRow }) {
  const { glimpses } = useParts();
  const box = useRef<HTMLSpanElement>(null);
  const mimeType = row.stored?.mime_type ?? row.view?.mimeType ?? '';
  const isThere = (row.stored?.received_chunks ?? 0) > 0 && !isGoing(row);
  const [found, setSeen] = useState<Glimpse | null>(() => glimpses.known(row.id) ?? null);
  const seen = isThere ? found : null;
  useEffect(() => {
    if (!isThere || glimpses.known(row.id) !== undefined || savesData() || !box.current) return;
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const watch = new IntersectionObserver(([entry]) => {
      clearTimeout(timer);
      if (!entry?.isIntersecting) return;
      timer = setTimeout(() => {
        watch.disconnect();
        glimpses.glimpse(row.id, mimeType, abort.signal).then(setSeen, () => undefined);
      }, STAYS_MS);
    });
    watch.observe(box.current);
    return () => {
      watch.disconnect();
      clearTimeout(timer);
      abort.abort();
    };
  }, [glimpses, row.id, mimeType, isThere]);

  const Icon = mimeType.startsWith('audio/') ? Mic : Film;
  return (
    <span
      ref={box}
      aria-hidden="true"
      data-testid="thumbnail"
      data-kind={seen?.kind ?? 'none'}
      className="flex h-10 w-14 shrink-0 items-center justify-center overflow-hidden rounded-md bg-line text-soft"
    >
      {seen?.kind === 'picture' ? (
        <img src={seen.url} alt="" className="size-full object-cover" />
      ) : seen?.kind === 'sound' ? (
        <Bars levels={seen.levels} />
      ) : (
        <Icon className="size-4" strokeWidth={1.8} />
      )}
    </span>
  );
}

function Bars({ levels }: { levels: readonly number[] }) {
  const bars = levels.map((level, index) => `M${index + 0.5} ${10 - height(level) / 2}v${height(level)}`);
  return (
    <svg
      aria-hidden="true"
      viewBox={`0 0 ${levels.length} 20`}
      preserveAspectRatio="none"
      className="h-7 w-12 stroke-current"
    >
      <path d={bars.join('')} strokeWidth={0.6} />
    </svg>
  );
}

function height(level: number): number {
  return Math.max(1, level * 18);
}

/** Whoever pays for each byte has said so to their browser, where that can be said. */
function savesData(): boolean {
  return (navigator as { connection?: { saveData?: boolean } }).connection?.saveData === true;
}
