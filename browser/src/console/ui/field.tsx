import { type ComponentProps, type ReactNode, useId } from 'react';
import { classNames } from './class-names';

const BOX =
  'h-10 w-full rounded-[10px] border border-faint bg-panel px-3 text-ink placeholder:text-soft disabled:opacity-60';

/** A label over what it names. */
function Labelled({
  id,
  label,
  children,
  className,
}: {
  id: string;
  label: string;
  children: ReactNode;
  className?: string | undefined;
}) {
  return (
    <div className={classNames('min-w-0', className)}>
      <label htmlFor={id} className="mb-1 block font-medium text-[13px] text-soft">
        {label}
      </label>
      {children}
    </div>
  );
}

/** One line of text. */
export function TextField({ label, className, ...rest }: ComponentProps<'input'> & { label: string }) {
  const id = useId();
  return (
    <Labelled id={id} label={label} className={className}>
      <input id={id} type="text" autoComplete="off" className={BOX} {...rest} />
    </Labelled>
  );
}

/** One of several, by the browser's own list: on a phone nothing is easier to use with a thumb. */
export function SelectField({ label, className, children, ...rest }: ComponentProps<'select'> & { label: string }) {
  const id = useId();
  return (
    <Labelled id={id} label={label} className={className}>
      <select id={id} className={classNames(BOX, 'truncate pr-2')} {...rest}>
        {children}
      </select>
    </Labelled>
  );
}
