import { bytes } from '../format';
import { useParts, useQuota, useSnapshot } from '../parts';
import { Button } from '../ui/button';
import { Link } from '../ui/link';
import { Note } from '../ui/note';
import { overQuotaWords, quotaLevel, roomLeft } from './quota-words';

/** Room in the bucket runs out, or has: nothing is lost by it, and recording goes on. */
export function QuotaNotice() {
  const { safereel } = useParts();
  const { overQuota } = useSnapshot();
  const quota = useQuota();
  const level = quotaLevel(quota, overQuota);
  if (overQuota)
    return (
      <Note
        tone="hold"
        role="status"
        data-testid="over-quota"
        data-waiting={overQuota.waitingChunks}
        heading="Your share of the bucket is used up"
        actions={
          <>
            <SeeRecordings />
            <Button size="small" onClick={() => safereel.retryNow()}>
              Ask again now
            </Button>
          </>
        }
      >
        {overQuotaWords(overQuota)}
      </Note>
    );
  if (level !== 'near' || !quota) return null;
  return (
    <Note
      tone="hold"
      role="status"
      data-testid="near-quota"
      heading="Your share of the bucket is nearly used up"
      actions={<SeeRecordings />}
    >
      {bytes(roomLeft(quota) ?? 0)} of {bytes(quota.limit_bytes ?? 0)} left. After that, recording goes on and what is
      new waits on this device until there is room.
    </Note>
  );
}

function SeeRecordings() {
  if (location.pathname === '/recordings') return null;
  return (
    <Button asChild size="small" look="quiet">
      <Link href="/recordings">See recordings</Link>
    </Button>
  );
}
