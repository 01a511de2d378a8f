import { useDownloads } from '../parts';
import { isUnderWay } from './listing';

/** How many are under way, beside the name of their page; nothing where none is. */
export function DownloadsBadge() {
  const count = useDownloads().downloads.filter(isUnderWay).length;
  if (count === 0) return null;
  return (
    <span
      data-testid="downloads-badge"
      data-count={count}
      className="ml-2 inline-block min-w-5 rounded-full bg-ink px-1.5 text-center font-medium text-[12px] text-paper leading-5 max-[860px]:ml-1"
    >
      {count > 99 ? '99+' : count}
      <span className="sr-only"> under way</span>
    </span>
  );
}
