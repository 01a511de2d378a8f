import { bytes } from '../format';
import { useQuota, useSnapshot } from '../parts';
import { classNames } from '../ui/class-names';
import { quotaLevel, quotaShares, quotaWords, roomLeft } from './quota-words';

/** The owner's share of the bucket: used (solid), set aside for uploads under way (hatched), and the limit. */
export function QuotaLine() {
  const quota = useQuota();
  const { overQuota } = useSnapshot();
  if (!quota) return null;
  const level = quotaLevel(quota, overQuota);
  const left = roomLeft(quota);
  const { used, reserved } = quotaShares(quota);
  return (
    <section
      aria-label="Your share of the bucket"
      data-testid="quota"
      data-level={level}
      data-used={quota.used_bytes}
      data-reserved={quota.reserved_bytes}
      data-limit={quota.limit_bytes ?? ''}
      className="px-2.5 text-[13px] text-soft leading-snug"
    >
      <p>{quotaWords(quota)}</p>
      {quota.limit_bytes === null ? null : (
        <div aria-hidden="true" className="mt-1.5 flex h-1 gap-px overflow-hidden rounded-full bg-line">
          <i
            className={classNames('block min-w-0.5 rounded-full', level === 'over' ? 'bg-hold' : 'bg-safe')}
            style={{ width: `${used * 100}%` }}
          />
          {reserved > 0 ? (
            <i
              className="block min-w-0.5 bg-[repeating-linear-gradient(115deg,var(--safe)_0_3px,transparent_3px_5px)]"
              style={{ width: `${reserved * 100}%` }}
            />
          ) : null}
        </div>
      )}
      {level === 'near' ? <p className="mt-1.5 text-hold-ink">{bytes(left ?? 0)} left</p> : null}
      {level === 'over' ? <p className="mt-1.5 text-hold-ink">Used up: what is new waits on this device</p> : null}
    </section>
  );
}
