import type { OverQuota } from '../../recorder/types';
import type { Quota } from '../bucket-view';
import { bytes, counted } from '../format';

/** From this share on it is said that room runs out: a tenth is left, time enough to act. */
const NEAR = 0.9;

/** `none` there is no limit; `near` little is left; `over` chunks are held back. */
export type QuotaLevel = 'none' | 'ample' | 'near' | 'over';

/** Shares of the limit, 0 to 1, that are used and set aside; both 0 where there is no limit. */
export function quotaShares({ limit_bytes: limit, used_bytes, reserved_bytes }: Quota): {
  used: number;
  reserved: number;
} {
  if (limit === null) return { used: 0, reserved: 0 };
  if (limit <= 0) return { used: 1, reserved: 0 };
  const used = Math.min(1, used_bytes / limit);
  return { used, reserved: Math.min(1 - used, reserved_bytes / limit) };
}

export function quotaLevel(quota: Quota | null, overQuota: OverQuota | null): QuotaLevel {
  if (overQuota) return 'over';
  if (!quota || quota.limit_bytes === null) return 'none';
  return quota.used_bytes + quota.reserved_bytes >= NEAR * quota.limit_bytes ? 'near' : 'ample';
}

/** `1.2 GB of 5 GB in your bucket`, and what is set aside for uploads under way. */
export function quotaWords({ limit_bytes: limit, used_bytes: used, reserved_bytes: reserved }: Quota): string {
  const of = limit === null ? '' : ` of ${bytes(limit)}`;
  const aside = reserved > 0 ? `, ${bytes(reserved)} set aside` : '';
  return `Your bucket holds ${bytes(used)}${of}${aside}`;
}

/** What is left before nothing new is taken; null without a limit. */
export function roomLeft({ limit_bytes: limit, used_bytes, reserved_bytes }: Quota): number | null {
  return limit === null ? null : Math.max(0, limit - used_bytes - reserved_bytes);
}

/** What happens by itself while the share is used up, and what to do. */
export function overQuotaWords({ usedBytes, limitBytes, waitingChunks, waitingBytes }: OverQuota): string {
  const share =
    limitBytes === null ? '' : `${usedBytes === null ? '' : `${bytes(usedBytes)} of `}${bytes(limitBytes)} in use. `;
  const one = waitingChunks === 1;
  const held =
    waitingChunks === 0
      ? 'Recording goes on; what comes is kept on this device.'
      : `Recording goes on; ${counted(waitingChunks, 'chunk')} (${bytes(waitingBytes)}) ${one ? 'waits' : 'wait'} on this device.`;
  return `${share}${held} Sending goes on by itself once there is room: delete a recording, or ask for more.`;
}
