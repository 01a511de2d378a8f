import { Upload } from 'lucide-react';
import { type ComponentProps, useRef } from 'react';
import { Button } from '../ui/button';
import { ACCEPT, hasPicker, pickFiles } from './choosing';
import type { Chosen } from './uploads';

type UploadButtonProps = Omit<ComponentProps<typeof Button>, 'onClick'> & {
  /** Several may be chosen. */
  multiple?: boolean;
  onChosen: (files: Chosen[]) => void;
  /** Of the input behind it. */
  testId: string;
};

/** A button that lets files be chosen: by the browser's picker that gives handles, else by an input. */
export function UploadButton({ multiple = false, onChosen, testId, children, ...rest }: UploadButtonProps) {
  const input = useRef<HTMLInputElement>(null);
  const choose = () => {
    if (!hasPicker()) return input.current?.click();
    void pickFiles(multiple).then(onChosen, () => input.current?.click());
  };
  return (
    <>
      <Button {...rest} onClick={choose}>
        <Upload aria-hidden="true" className="size-4" />
        {children}
      </Button>
      <input
        ref={input}
        type="file"
        hidden
        multiple={multiple}
        accept={ACCEPT}
        data-testid={testId}
        onChange={({ target }) => {
          onChosen([...(target.files ?? [])].map((file) => ({ file })));
          target.value = '';
        }}
      />
    </>
  );
}
