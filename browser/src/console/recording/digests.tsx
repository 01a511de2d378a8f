import { useState } from 'react';
import { bytes, counted, whole } from '../format';
import type { TapeChunk } from '../tape-cells';
import { Button } from '../ui/button';

/** So many more lines at a time: a day's recording has 17,000. */
const STEP = 200;

/** Every chunk with its size and digest, for those who compare. */
export function Digests({ chunks }: { chunks: readonly TapeChunk[] }) {
  const [open, setOpen] = useState(false);
  const [shown, setShown] = useState(STEP);
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className="font-semibold text-[13px] text-soft">
        Digests (SHA-256) of {counted(chunks.length, 'chunk')}
      </summary>
      {open ? (
        <>
          <table className="mt-3 w-full text-left text-[12.5px]">
            <thead className="text-soft">
              <tr>
                <th className="py-1 pr-4 font-medium">Chunk</th>
                <th className="py-1 pr-4 text-right font-medium">Size</th>
                <th className="py-1 font-medium">SHA-256</th>
              </tr>
            </thead>
            <tbody>
              {chunks.slice(0, shown).map(({ seq, size, sha256 }) => (
                <tr key={seq} className="border-line border-t align-top">
                  <td className="py-1 pr-4">{whole(seq)}</td>
                  <td className="whitespace-nowrap py-1 pr-4 text-right">{bytes(size)}</td>
                  <td className="break-all py-1 font-mono">{sha256 || 'not known yet'}</td>
                </tr>
              ))}
            </tbody>
          </table>
          {shown < chunks.length ? (
            <Button size="small" className="mt-3" onClick={() => setShown(shown + STEP)}>
              Show {whole(Math.min(STEP, chunks.length - shown))} more
            </Button>
          ) : null}
        </>
      ) : null}
    </details>
  );
}
