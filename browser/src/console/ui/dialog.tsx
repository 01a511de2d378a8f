import { type ReactNode, useEffect, useId, useRef } from 'react';
import { Button } from './button';

interface DialogProps {
  title: string;
  /** The button that goes on, in a word. */
  act: string;
  actOff?: boolean;
  testId?: string;
  onAct: () => void;
  /** It was closed, whichever way. */
  onClose: () => void;
  children: ReactNode;
}

/** A question that destroys nothing, open for as long as it is drawn: the browser's own modal dialog. */
export function Dialog({ title, act, actOff, testId, onAct, onClose, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    if (dialog.current?.open === false) dialog.current.showModal();
  }, []);
  return (
    <dialog
      ref={dialog}
      aria-labelledby={id}
      onClose={onClose}
      className="m-auto max-h-[calc(100dvh-32px)] w-[min(520px,calc(100vw-32px))] animate-appear overflow-y-auto overscroll-contain rounded-2xl bg-panel p-6 text-ink shadow-float backdrop:bg-[rgb(12_16_18/0.45)] max-sm:mb-4 max-sm:p-5"
    >
      <h2 id={id} className="wrap-anywhere text-balance font-semibold text-[18px] leading-snug tracking-[-0.01em]">
        {title}
      </h2>
      <div className="mt-3 text-[14px] text-soft">{children}</div>
      <div className="mt-6 flex justify-end gap-2.5 max-sm:flex-col-reverse">
        <Button data-testid="dialog-cancel" onClick={() => dialog.current?.close()}>
          Not now
        </Button>
        <Button look="main" data-testid={testId} aria-disabled={actOff || undefined} onClick={() => !actOff && onAct()}>
          {act}
        </Button>
      </div>
    </dialog>
  );
}
