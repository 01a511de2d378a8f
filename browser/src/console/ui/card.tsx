import type { ComponentProps, ReactNode } from 'react';
import { classNames } from './class-names';

/** A sheet of its own on the page. */
export function Card({ className, ...rest }: ComponentProps<'section'>) {
  return (
    <section
      className={classNames('rounded-[14px] border border-line bg-panel p-5 shadow-shade max-md:p-4', className)}
      {...rest}
    />
  );
}

/** The small heading of a card, with what belongs at its right. */
export function CardHead({ id, title, aside }: { id?: string; title: string; aside?: ReactNode }) {
  return (
    <div className="mb-2.5 flex flex-wrap items-baseline justify-between gap-x-4 gap-y-0.5">
      <h2 id={id} className="font-semibold text-[13px] text-soft">
        {title}
      </h2>
      {aside ? <span className="text-[13px] text-soft">{aside}</span> : null}
    </div>
  );
}
