import { counted } from '../format';
import { useSnapshot } from '../parts';
import { deviceWords } from './device-words';

/** What this device keeps, and whether the browser may throw it away. */
export function DeviceFoot() {
  const snapshot = useSnapshot();
  const { foreignChunks } = snapshot;
  const { kept, share, warning } = deviceWords(snapshot);
  return (
    <section aria-label="This device" className="px-2.5 text-[13px] text-soft leading-snug">
      <p>{kept}</p>
      {share > 0 ? (
        <div aria-hidden="true" className="mt-1.5 h-1 overflow-hidden rounded-full bg-line">
          <i className="block h-full min-w-0.5 rounded-full bg-soft" style={{ width: `${share * 100}%` }} />
        </div>
      ) : null}
      {warning ? <p className="mt-1.5">{warning}</p> : null}
      {foreignChunks > 0 ? (
        <p className="mt-1.5">
          {counted(foreignChunks, 'chunk')} of somebody else are kept here, and sent when they sign in.
        </p>
      ) : null}
    </section>
  );
}
