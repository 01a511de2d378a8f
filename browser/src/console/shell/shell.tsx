import type { ReactNode } from 'react';
import { Toasts } from '../deleting/toasts';
import { DownloadNews } from '../downloads/download-news';
import { DownloadsBadge } from '../downloads/downloads-badge';
import { QuotaLine } from '../quota/quota-line';
import { usePath } from '../route';
import { classNames } from '../ui/class-names';
import { Link } from '../ui/link';
import { Brand } from './brand';
import { DeviceFoot } from './device-foot';
import { RunningStrip } from './running-strip';
import { ToastStack } from './toast-stack';

/** What stands around every page: where one is, what this device keeps, and the recording under way. */
export function Shell({ children }: { children: ReactNode }) {
  const path = usePath();
  return (
    <div className="grid min-h-dvh grid-cols-[212px_minmax(0,1fr)] max-[860px]:grid-cols-[minmax(0,1fr)] max-[860px]:grid-rows-[auto_1fr_auto]">
      <a
        href="#main"
        className="sr-only focus:not-sr-only focus:absolute focus:top-2 focus:left-2 focus:z-50 focus:rounded-lg focus:bg-panel focus:px-3 focus:py-2"
      >
        To the content
      </a>
      <header className="sticky top-0 flex h-dvh flex-col border-line border-r px-3.5 py-6 max-[860px]:static max-[860px]:h-auto max-[860px]:flex-row max-[860px]:items-center max-[860px]:gap-2 max-[860px]:border-r-0 max-[860px]:border-b max-[860px]:py-2.5">
        <Link href="/" aria-label="Safereel, to the recorder" className="mb-5 px-2.5 max-[860px]:mb-0 max-[860px]:px-1">
          <Brand />
        </Link>
        <nav aria-label="Pages" className="flex flex-col gap-0.5 max-[860px]:ml-auto max-[860px]:flex-row">
          <NavLink href="/" on={path === '/'}>
            Record
          </NavLink>
          <NavLink href="/recordings" on={path.startsWith('/recordings')}>
            Recordings
          </NavLink>
          <NavLink href="/downloads" on={path === '/downloads'}>
            Downloads
            <DownloadsBadge />
          </NavLink>
        </nav>
        <div className="mt-auto grid gap-3.5 max-[860px]:hidden">
          <QuotaLine />
          <DeviceFoot />
          <ApiLink />
        </div>
      </header>
      <div className="min-w-0">
        {path === '/' ? null : <RunningStrip />}
        {children}
      </div>
      <footer className={classNames('border-line border-t px-2 py-3 min-[861px]:hidden', path === '/' && 'pb-28')}>
        <div className="grid gap-3.5">
          <QuotaLine />
          <DeviceFoot />
          <ApiLink />
        </div>
      </footer>
      <ToastStack raised={path === '/'}>
        <DownloadNews />
        <Toasts />
      </ToastStack>
    </div>
  );
}

/** For those who build on it; in a tab of its own, since leaving this page would end a recording. */
function ApiLink() {
  return (
    <a
      href="/docs"
      target="_blank"
      rel="noopener"
      className="w-fit rounded px-2.5 text-[13px] text-soft underline-offset-2 hover:text-ink hover:underline"
    >
      API<span className="sr-only"> (opens in a new tab)</span>
    </a>
  );
}

function NavLink({ href, on, children }: { href: string; on: boolean; children: ReactNode }) {
  return (
    <Link
      href={href}
      aria-current={on ? 'page' : undefined}
      className={classNames(
        'whitespace-nowrap rounded-lg px-2.5 py-[7px] max-[400px]:px-2',
        on ? 'bg-panel font-medium text-ink shadow-shade' : 'text-soft hover:text-ink',
      )}
    >
      {children}
    </Link>
  );
}
