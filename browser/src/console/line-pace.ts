import type { RecordingView, Snapshot } from '../recorder/types';

/** So many of the latest chunks tell the present bit rate. */
const RECENT_CHUNKS = 12;
/** Below this much time left, or this share of space, the person is told. */
const LOW_MS = 20 * 60_000;
const LOW_SHARE = 0.08;

/** Bytes a second that are being recorded, by the latest chunks; null until known. */
export function recordedRate(view: RecordingView | undefined): number | null {
  const recent = view?.chunks.slice(-RECENT_CHUNKS) ?? [];
  const ms = recent.reduce((sum, { durationMs }) => sum + durationMs, 0);
  return ms >= 1000 ? (recent.reduce((sum, { size }) => sum + size, 0) / ms) * 1000 : null;
}

/** How long this device can go on holding what is recorded if nothing could be sent; null where not known. */
export function roomMs({ storage }: Snapshot, bytesPerSecond: number | null): number | null {
  if (storage.quota === null || storage.usage === null || !bytesPerSecond) return null;
  return (Math.max(0, storage.quota - storage.usage) / bytesPerSecond) * 1000;
}

/** True when the space that this browser grants is nearly used up. */
export function isRoomLow(snapshot: Snapshot, bytesPerSecond: number | null): boolean {
  const { usage, quota } = snapshot.storage;
  if (usage === null || quota === null || quota === 0) return false;
  const left = roomMs(snapshot, bytesPerSecond);
  return (quota - usage) / quota < LOW_SHARE || (left !== null && left < LOW_MS);
}

/** Whether sending keeps up with recording: `behind` is no danger, only more that is held here; `no_room`: the quota holds it. */
export function paceOf(view: RecordingView, snapshot: Snapshot): 'keeps_up' | 'behind' | 'waiting' | 'no_room' {
  if (snapshot.connection !== 'online') return 'waiting';
  if (snapshot.overQuota) return 'no_room';
  const recorded = recordedRate(view);
  const heldMs = view.durationMs - view.safeMs;
  // A chunk takes up to 5 s to seal and some sweeps to confirm: half a minute held is the normal course of things.
  if (heldMs < 45_000 || recorded === null) return 'keeps_up';
  return (snapshot.uploadRate ?? 0) >= recorded * 1.05 ? 'keeps_up' : 'behind';
}
