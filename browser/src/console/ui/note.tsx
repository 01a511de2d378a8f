import { CircleAlert, CircleCheck, HardDrive, Info, type LucideIcon } from 'lucide-react';
import type { ComponentProps, ReactNode } from 'react';
import { classNames } from './class-names';

export type NoteTone = 'safe' | 'hold' | 'alert' | 'plain';

const GROUNDS: Record<NoteTone, string> = {
  safe: 'bg-safe-soft',
  hold: 'bg-hold-soft',
  alert: 'bg-alert-soft',
  plain: 'border border-line bg-panel',
};
const INKS: Record<NoteTone, string> = {
  safe: 'text-safe-ink',
  hold: 'text-hold-ink',
  alert: 'text-alert-ink',
  plain: 'text-soft',
};
const ICONS: Record<NoteTone, LucideIcon> = { safe: CircleCheck, hold: HardDrive, alert: CircleAlert, plain: Info };

type NoteProps = Omit<ComponentProps<'div'>, 'title'> & {
  tone: NoteTone;
  heading?: string;
  code?: string | undefined;
  actions?: ReactNode;
};

/** Something to know: what is safe, what is not, what happens by itself, what to do. */
export function Note({ tone, heading, code, actions, className, children, ...rest }: NoteProps) {
  const Icon = ICONS[tone];
  return (
    <div
      className={classNames(
        'flex flex-wrap items-start gap-x-3 gap-y-2 rounded-xl px-4 py-3',
        GROUNDS[tone],
        className,
      )}
      {...rest}
    >
      <Icon aria-hidden="true" className={classNames('mt-[3px] size-[17px] shrink-0', INKS[tone])} strokeWidth={2.2} />
      <div className="min-w-0 flex-1 basis-[200px]">
        {heading ? <p className="font-semibold">{heading}</p> : null}
        <div className="wrap-anywhere text-pretty">{children}</div>
        {code ? <p className={classNames('mt-0.5 font-mono text-[12px] wrap-anywhere', INKS[tone])}>{code}</p> : null}
      </div>
      {actions ? <div className="flex shrink-0 items-center gap-2 self-center max-sm:w-full">{actions}</div> : null}
    </div>
  );
}
