import type { ComponentProps } from 'react';
import { classNames } from '../ui/class-names';

/** The page's main landmark; each page has its own. */
export function Main({ className, ...rest }: ComponentProps<'main'>) {
  return (
    <main
      id="main"
      tabIndex={-1}
      className={classNames(
        'w-full min-w-0 max-w-[1120px] px-9 py-7 outline-none max-[860px]:px-4 max-[860px]:py-5',
        className,
      )}
      {...rest}
    />
  );
}
