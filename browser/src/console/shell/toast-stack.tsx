import type { ReactNode } from 'react';
import { classNames } from '../ui/class-names';

/** Where what passes by is told: at the foot of every page, one above the other; `raised` above a bar that stands there. */
export function ToastStack({ raised, children }: { raised: boolean; children: ReactNode }) {
  return (
    <div
      className={classNames(
        'pointer-events-none fixed inset-x-0 bottom-0 z-30 flex flex-col items-center gap-2 px-4 pb-5',
        raised && 'max-[860px]:pb-[104px]',
      )}
    >
      {children}
    </div>
  );
}
