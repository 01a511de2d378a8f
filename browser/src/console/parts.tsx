import { createContext, type ReactNode, useContext, useSyncExternalStore } from 'react';
import type { Safereel, Snapshot } from '../recorder/types';
import type { BucketView, Quota } from './bucket-view';
import type { ClockWatch } from './clock-watch';
import type { Deletions, Wish } from './deleting/deletions';
import type { Downloads, DownloadsState } from './downloads/downloads';
import type { Attempt, Uploads } from './files/uploads';
import type { Happenings, HappeningsState } from './happenings';
import type { Glimpses } from './library/glimpses';
import { problemWords } from './problem-words';
import type { QuotaWatch } from './quota/quota-watch';
import type { Session, SessionState } from './session';
import type { Sharing } from './sharing/sharing';
import type { Studio, StudioState } from './studio';

/** What the page is made of; built once, before anything is drawn. */
export interface Parts {
  safereel: Safereel;
  session: Session;
  bucket: BucketView;
  studio: Studio;
  happenings: Happenings;
  deletions: Deletions;
  uploads: Uploads;
  quota: QuotaWatch;
  clock: ClockWatch;
  glimpses: Glimpses;
  downloads: Downloads;
  sharing: Sharing;
}

const PartsContext = createContext<Parts | null>(null);

/** Hands the parts to everything below. */
export function PartsProvider({ parts, children }: { parts: Parts; children: ReactNode }) {
  return <PartsContext value={parts}>{children}</PartsContext>;
}

/** The parts. @throws Error outside `PartsProvider`. */
export function useParts(): Parts {
  const parts = useContext(PartsContext);
  if (!parts) throw new Error('useParts outside PartsProvider');
  return parts;
}

/** The recorder's present snapshot. */
export function useSnapshot(): Snapshot {
  const { safereel } = useParts();
  return useSyncExternalStore(
    (listener) => safereel.subscribe((event) => event.type === 'snapshot' && listener()),
    () => safereel.snapshot(),
  );
}

/** What this tab captures at present. */
export function useStudio(): StudioState {
  const { studio } = useParts();
  return useSyncExternalStore(studio.state.subscribe, studio.state.get);
}

/** Whether somebody is signed in. */
export function useSession(): SessionState {
  const { session } = useParts();
  return useSyncExternalStore(session.state.subscribe, session.state.get);
}

/** Deletions on their way. */
export function useDeletions(): readonly Wish[] {
  const { deletions } = useParts();
  return useSyncExternalStore(deletions.state.subscribe, deletions.state.get);
}

/** Files that were chosen, and are not on their way yet or at all. */
export function useUploads(): readonly Attempt[] {
  const { uploads } = useParts();
  return useSyncExternalStore(uploads.state.subscribe, uploads.state.get);
}

/** The owner's downloads. */
export function useDownloads(): DownloadsState {
  const { downloads } = useParts();
  return useSyncExternalStore(downloads.state.subscribe, downloads.state.get);
}

/** The owner's share of the bucket; null until it is known. */
export function useQuota(): Quota | null {
  const { quota } = useParts();
  return useSyncExternalStore(quota.state.subscribe, quota.state.get);
}

/** How far this device's clock is ahead of the server's, in ms; 0 where it is right, or nobody knows. */
export function useClockAhead(): number {
  const { clock } = useParts();
  return useSyncExternalStore(clock.state.subscribe, clock.state.get);
}

/** True when the recorder told that it cannot record in this browser, or for nobody. */
export function useBarred(): boolean {
  return useHappenings().problems.some((problem) => problemWords(problem).fatal);
}

/** What the recorder told since this page was opened. */
export function useHappenings(): HappeningsState {
  const { happenings } = useParts();
  return useSyncExternalStore(happenings.state.subscribe, happenings.state.get);
}
