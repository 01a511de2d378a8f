import { cva, type VariantProps } from 'class-variance-authority';
import type { ComponentProps } from 'react';
import { classNames } from './class-names';

const tones = cva(
  'inline-flex max-w-full items-center gap-[7px] rounded-full px-[11px] py-[3px] font-medium text-[13px]',
  {
    variants: {
      tone: {
        safe: 'bg-safe-soft text-safe-ink',
        hold: 'bg-hold-soft text-hold-ink',
        alert: 'bg-alert-soft text-alert-ink',
        plain: 'bg-line/70 text-soft',
        picture: 'on-picture',
      },
    },
    defaultVariants: { tone: 'plain' },
  },
);

export type PillTone = NonNullable<VariantProps<typeof tones>['tone']>;

type PillProps = ComponentProps<'span'> & { tone?: PillTone; dot?: 'still' | 'recording' };

/** A state in words, with a dot in its colour. */
export function Pill({ tone = 'plain', dot = 'still', className, children, ...rest }: PillProps) {
  return (
    <span className={classNames(tones({ tone }), className)} {...rest}>
      <i
        aria-hidden="true"
        className={classNames(
          'size-[7px] shrink-0 rounded-full bg-current',
          dot === 'recording' && 'animate-rest',
          dot === 'recording' && tone === 'picture' && 'bg-[#ff5d50]',
        )}
      />
      <span className="min-w-0">{children}</span>
    </span>
  );
}
