import { Popover as Radix } from 'radix-ui';
import type { ReactNode, RefObject } from 'react';

interface PopoverProps {
  open: boolean;
  onClose: () => void;
  /** What it points at; it may move while the popover is open. */
  anchor: RefObject<HTMLElement | null>;
  label: string;
  children: ReactNode;
}

/** A sheet beside something on the page. Escape or a press elsewhere closes it; focus goes back to where it was. */
export function Popover({ open, onClose, anchor, label, children }: PopoverProps) {
  return (
    <Radix.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <Radix.Anchor virtualRef={anchor as RefObject<HTMLElement>} />
      <Radix.Portal>
        <Radix.Content
          aria-label={label}
          side="top"
          align="start"
          sideOffset={8}
          collisionPadding={12}
          onCloseAutoFocus={(event) => {
            event.preventDefault();
            anchor.current?.focus({ preventScroll: true });
          }}
          className="z-50 max-h-(--radix-popover-content-available-height) w-[min(340px,calc(100vw-24px))] overflow-y-auto rounded-xl bg-panel p-4 text-[13.5px] shadow-float outline-none"
        >
          {children}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
