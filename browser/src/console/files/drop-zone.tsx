import { FileUp } from 'lucide-react';
import { type ComponentProps, useEffect, useState } from 'react';
import { droppedFiles } from './choosing';
import type { Chosen } from './uploads';

type DropZoneProps = Omit<ComponentProps<'div'>, 'onDrop'> & { onChosen: (files: Chosen[]) => void };

/** Takes files that are dropped anywhere on the page, and says so while they hang over it. */
export function DropZone({ onChosen, children, ...rest }: DropZoneProps) {
  const [over, setOver] = useState(false);
  useEffect(() => {
    const onOver = (event: DragEvent) => {
      if (!event.dataTransfer?.types.includes('Files')) return;
      event.preventDefault();
      setOver(true);
    };
    const onLeave = (event: DragEvent) => {
      if (event.relatedTarget === null) setOver(false);
    };
    const onDrop = (event: DragEvent) => {
      setOver(false);
      if (!event.dataTransfer?.types.includes('Files')) return;
      event.preventDefault();
      void droppedFiles(event.dataTransfer).then(onChosen);
    };
    addEventListener('dragover', onOver);
    addEventListener('dragleave', onLeave);
    addEventListener('drop', onDrop);
    return () => {
      removeEventListener('dragover', onOver);
      removeEventListener('dragleave', onLeave);
      removeEventListener('drop', onDrop);
    };
  }, [onChosen]);
  return (
    <div {...rest}>
      {children}
      {over ? (
        <div className="pointer-events-none fixed inset-3 z-40 grid place-items-center rounded-2xl border-2 border-safe border-dashed bg-paper/90">
          <p className="flex items-center gap-3 font-semibold text-[18px]">
            <FileUp aria-hidden="true" className="size-6 text-safe" />
            Drop to upload
          </p>
        </div>
      ) : null}
    </div>
  );
}
