import type { Quota } from '../../../src/console/bucket-view';
import type { Wish } from '../../../src/console/deleting/deletions';
import type { Download } from '../../../src/console/downloads/download-calls';
import type { DownloadsState } from '../../../src/console/downloads/downloads';
import type { Attempt } from '../../../src/console/files/uploads';
import type { HappeningsState } from '../../../src/console/happenings';
import type { SessionState } from '../../../src/console/session';
import type { ShareView } from '../../../src/console/sharing/share-view';
import type { StudioState } from '../../../src/console/studio';
import type { Snapshot } from '../../../src/recorder/types';
import type { FakeBucket } from './fakes';

/** A state of the page, as the gallery draws it. */
export interface Scene {
  path: string;
  snapshot: Snapshot;
  bucket?: (bucket: FakeBucket) => void;
  studio?: Partial<StudioState>;
  happenings?: Partial<HappeningsState>;
  session?: SessionState;
  attempts?: readonly Attempt[];
  wishes?: readonly Wish[];
  quota?: Quota;
  downloads?: Partial<DownloadsState>;
  /** What the server lists. */
  downloadList?: readonly Download[];
  /** The server never answers about downloads. */
  downloadsNever?: boolean;
  /** The server's line of news is down. */
  downloadsLost?: boolean;
  /** How far this device's clock is ahead of the server's, in ms. */
  clockAheadMs?: number;
  /** What the link in `path` shows, in place of the console. */
  shared?: ShareView;
  /** Pressed once it is drawn. */
  press?: string;
}
