import { cva, type VariantProps } from 'class-variance-authority';
import { Slot } from 'radix-ui';
import type { ComponentProps } from 'react';
import { classNames } from './class-names';

const looks = cva(
  'inline-flex select-none items-center justify-center gap-2 whitespace-nowrap rounded-[10px] border font-medium transition-[background-color,border-color,opacity] duration-150 disabled:cursor-not-allowed disabled:opacity-45 aria-disabled:cursor-not-allowed aria-disabled:opacity-45',
  {
    variants: {
      look: {
        plain: 'border-line bg-panel text-ink hover:border-faint',
        main: 'border-ink bg-ink text-paper hover:opacity-88',
        stop: 'border-rec bg-rec text-white hover:opacity-92',
        quiet: 'border-transparent bg-transparent text-soft hover:bg-line/60 hover:text-ink',
      },
      size: {
        normal: 'h-10 px-4',
        small: 'h-8 rounded-lg px-3 text-[13px]',
        large: 'h-12 px-5',
        icon: 'size-8 rounded-lg p-0',
      },
    },
    defaultVariants: { look: 'plain', size: 'normal' },
  },
);

type ButtonProps = ComponentProps<'button'> & VariantProps<typeof looks> & { asChild?: boolean };

/** A button; `asChild` gives its look to the link inside. */
export function Button({ look, size, asChild, className, ...rest }: ButtonProps) {
  const Part = asChild ? Slot.Root : 'button';
  return (
    <Part
      {...(asChild ? {} : { type: 'button' as const })}
      className={classNames(looks({ look, size }), className)}
      {...rest}
    />
  );
}

/** The key that does the same, for those who have one. */
export function KeyHint({ children, className }: { children: string; className?: string }) {
  return (
    <span
      aria-hidden="true"
      className={classNames(
        'hidden min-w-5 rounded-[5px] border border-current/35 px-1 text-center font-sans text-[11px] leading-[18px] md:inline-block',
        className,
      )}
    >
      {children}
    </span>
  );
}
