import type { StorageReport } from '../../recorder/types';
import { bytes, counted } from '../format';
import { useSnapshot } from '../parts';

/** What this device keeps, and whether the browser may throw it away. */
export function DeviceFoot() {
  const { storage, foreignChunks, ready } = useSnapshot();
  const share = storage.usage !== null && storage.quota ? Math.min(1, storage.usage / storage.quota) : 0;
  return (
    <section aria-label="This device" className="px-2.5 text-[13px] text-soft leading-snug">
      <p>
        {keptWords(storage)}
        {ready && storage.persisted !== null ? ` · ${storage.persisted ? 'kept on pressure' : 'not protected'}` : ''}
      </p>
      <div aria-hidden="true" className="mt-1.5 h-1 overflow-hidden rounded-full bg-line">
        <i className="block h-full min-w-0.5 rounded-full bg-soft" style={{ width: `${share * 100}%` }} />
      </div>
      {ready && storage.persisted === false ? (
        <p className="mt-1.5">
          The browser may clear it if this device runs out of space: stay online until all is sent.
        </p>
      ) : null}
      {foreignChunks > 0 ? (
        <p className="mt-1.5">
          {counted(foreignChunks, 'chunk')} of somebody else are kept here, and sent when they sign in.
        </p>
      ) : null}
    </section>
  );
}

function keptWords({ usage, quota }: StorageReport): string {
  if (usage === null) return 'This browser does not tell how much it keeps';
  return quota === null ? `This device keeps ${bytes(usage)}` : `This device keeps ${bytes(usage)} of ${bytes(quota)}`;
}
