import { type ComponentProps, useEffect, useRef } from 'react';
import { classNames } from '../ui/class-names';

/** The page's main landmark; each page has its own. */
export function Main({ className, ...rest }: ComponentProps<'main'>) {
  const main = useRef<HTMLElement>(null);
  const hadFocus = useRef(false);
  // What had the focus may go (a row that was deleted): who uses keys goes on from here, not from the top of everything.
  useEffect(() => {
    if (hadFocus.current && document.activeElement === document.body) main.current?.focus({ preventScroll: true });
    hadFocus.current = main.current?.contains(document.activeElement) ?? false;
  });
  return (
    <main
      ref={main}
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
