import { Download } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { counted } from '../format';
import { useParts } from '../parts';
import { Button } from '../ui/button';

/** Hands what this device holds of a recording to the browser's downloads: the way out when the disk is full or nothing is sent. */
export function SaveButton({ id }: { id: string }) {
  const { safereel } = useParts();
  const [busy, setBusy] = useState(false);
  const [told, setTold] = useState('');
  const urls = useRef<string[]>([]);
  // The browser reads a file as long as it saves it, and never says when it has: its address lives as long as this button.
  useEffect(() => () => urls.current.forEach((url) => void URL.revokeObjectURL(url)), []);

  async function save() {
    setBusy(true);
    setTold('');
    try {
      const files = await safereel.saveToFiles(id);
      for (const file of files) urls.current.push(download(file));
      setTold(`${counted(files.length, 'file')} handed to the browser's downloads. It is still being sent as well.`);
    } catch (error) {
      setTold(`It could not be saved: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      setBusy(false);
    }
  }

  return (
    <>
      <Button size="small" data-testid="save-to-file" disabled={busy} onClick={() => void save()}>
        <Download aria-hidden="true" className="size-4" />
        Save to a file
      </Button>
      <span role="status" className="text-[13px] empty:hidden">
        {told}
      </span>
    </>
  );
}

function download(file: File): string {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(file);
  link.download = file.name;
  link.click();
  return link.href;
}
