import { Share2 } from 'lucide-react';
import { useState } from 'react';
import type { StoredStatus } from '../bucket-view';
import { Button } from '../ui/button';
import { ShareDialog } from './share-dialog';

interface ShareButtonProps {
  status: StoredStatus | null;
  title: string;
  className?: string;
}

/** Opens the dialog in which a recording's link is copied, ended and revoked. */
export function ShareButton({ status, title, className }: ShareButtonProps) {
  const [open, setOpen] = useState(false);
  if (!status) return null;
  return (
    <>
      <Button look="quiet" size="small" data-testid="share" className={className} onClick={() => setOpen(true)}>
        <Share2 aria-hidden="true" className="size-4" />
        Share
      </Button>
      {open ? <ShareDialog status={status} title={title} onClose={() => setOpen(false)} /> : null}
    </>
  );
}
