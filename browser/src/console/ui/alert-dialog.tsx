import { type ReactNode, useEffect, useId, useRef } from 'react';
import { Button } from './button';

interface AlertDialogProps {
  title: string;
  /** The button that does it, in a word. */
  act: string;
  onAct: () => void;
  /** The button that does not. It has the focus first: Enter alone destroys nothing. */
  cancel: string;
  /** It was closed, whichever way. */
  onClose: () => void;
  children: ReactNode;
}

/**
 * A question before something that cannot be undone for ever, open for as long as it is drawn. The browser's own modal dialog:
 * the page behind is inert, Escape cancels, and focus goes back to where it was.
 */
export function AlertDialog({ title, act, onAct, cancel, onClose, children }: AlertDialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    if (dialog.current?.open === false) dialog.current.showModal();
  }, []);
  return (
    <dialog
      ref={dialog}
      role="alertdialog"
      aria-labelledby={`${id}title`}
      aria-describedby={`${id}text`}
      onClose={onClose}
      className="m-auto max-h-[calc(100dvh-32px)] w-[min(480px,calc(100vw-32px))] animate-appear overflow-y-auto overscroll-contain rounded-2xl bg-panel p-6 text-ink shadow-float backdrop:bg-[rgb(12_16_18/0.45)] max-sm:mb-4 max-sm:p-5"
    >
      <h2
        id={`${id}title`}
        className="wrap-anywhere text-balance font-semibold text-[18px] leading-snug tracking-[-0.01em]"
      >
        {title}
      </h2>
      <div id={`${id}text`} className="mt-3 text-[14px] text-soft">
        {children}
      </div>
      <div className="mt-6 flex justify-end gap-2.5 max-sm:flex-col-reverse">
        <Button data-testid="dialog-cancel" onClick={() => dialog.current?.close()}>
          {cancel}
        </Button>
        <Button
          look="stop"
          data-testid="dialog-act"
          onClick={() => {
            onAct();
            dialog.current?.close();
          }}
        >
          {act}
        </Button>
      </div>
    </dialog>
  );
}
