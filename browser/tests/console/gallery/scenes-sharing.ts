import { CallFailed } from '../../../src/console/api-calls';
import type { StoredChunk, StoredStatus } from '../../../src/console/bucket-view';
import type { Shared, ShareView } from '../../../src/console/sharing/share-view';
import type { Scene } from './scene';
import { idOf, snapshot } from './snapshots';

const DAY = 86_400_000;
const LINK: Scene = { path: '/s/q2mX0v1uYH3l8r5d', snapshot: snapshot([]) };
const SHARED: Shared = {
  title: 'Interview 12, participant 7',
  mime_type: 'video/webm;codecs=vp8',
  source: 'recorder',
  created_at: new Date(Date.now() - 3 * DAY).toISOString(),
  completed_at: new Date(Date.now() - 2.9 * DAY).toISOString(),
  duration_ms: 754_000,
  chunk_count: 12,
  bytes: 61_400_000,
  gaps: [],
  file: {
    name: 'Interview 12, participant 7.webm',
    content_type: 'video/webm',
    size: 61_380_000,
    url: 'about:blank',
    expires_at: new Date(Date.now() + DAY).toISOString(),
  },
};

const refusing = (code: string, status?: number): ShareView => {
  const refuse = () =>
    Promise.reject(new CallFailed({ code, detail: 'The server did not answer.', ...(status ? { status } : {}) }));
  return { view: refuse, chunks: refuse };
};

/** The dialog of a recording's link, and what is seen by one. */
export function sharingScenes(
  chunks: () => Promise<readonly StoredChunk[]>,
  statusOf: (list: readonly StoredChunk[]) => StoredStatus,
): Record<string, () => Scene | Promise<Scene>> {
  const dialog = async (share: StoredStatus['share'], part: Partial<StoredStatus> = {}): Promise<Scene> => {
    const list = await chunks();
    return {
      path: `/recordings/${idOf('a1')}`,
      snapshot: snapshot([]),
      bucket: (bucket) => Object.assign(bucket, { chunkList: list, status: { ...statusOf(list), share, ...part } }),
      press: '[data-testid="share"]',
    };
  };
  return {
    'share-dialog': () => dialog({ shared: true, expires_at: null }),
    'share-ending': () =>
      dialog(
        { shared: true, expires_at: new Date(Date.now() + 5 * DAY).toISOString() },
        { complete: false, state: 'open' },
      ),
    'share-over': () => dialog({ shared: true, expires_at: new Date(Date.now() - DAY).toISOString() }),
    'share-revoked': () => dialog({ shared: false, expires_at: null }),
    'link-watch': async () => {
      const list = await chunks();
      return {
        ...LINK,
        shared: { view: async () => SHARED, chunks: async () => ({ chunks: [...list], next_after: null }) },
      };
    },
    'link-not-ready': () => ({ ...LINK, shared: refusing('share_not_ready', 409) }),
    'link-unknown': () => ({ ...LINK, shared: refusing('share_unknown', 404) }),
    'link-offline': () => ({ ...LINK, shared: refusing('network') }),
    'link-loading': () => {
      const never = () => new Promise<never>(() => undefined);
      return { ...LINK, shared: { view: never, chunks: never } };
    },
  };
}
