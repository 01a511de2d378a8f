import { type RefObject, useEffect, useState } from 'react';
import { bytes, counted } from '../format';
import type { ChunkSource } from '../playback';
import type { Playable } from '../playback-plan';
import { Button } from '../ui/button';
import { Note } from '../ui/note';

interface WholeFileProps {
  video: RefObject<HTMLVideoElement | null>;
  chunks: readonly Playable[];
  source: ChunkSource;
  mimeType: string;
}

/** For browsers that cannot play this type in pieces: one part of the recording is fetched whole, then played. */
export function WholeFile({ video, chunks, source, mimeType }: WholeFileProps) {
  const segments = [...new Set(chunks.map(({ segment }) => segment))];
  const [url, setUrl] = useState<string | null>(null);
  const [note, setNote] = useState('');
  useEffect(() => {
    if (url && video.current) video.current.src = url;
    return () => {
      if (url) URL.revokeObjectURL(url);
    };
  }, [url, video]);

  if (!video.current?.canPlayType(mimeType)) {
    return (
      <Note tone="hold" heading={`This browser cannot play ${mimeType}`} className="mt-3">
        The recording is safe in the bucket. Open this page in the browser that recorded it.
      </Note>
    );
  }

  async function load(segment: number) {
    const run = chunks.filter((chunk) => chunk.segment === segment);
    const parts: Uint8Array<ArrayBuffer>[] = [];
    try {
      for (const [index, chunk] of run.entries()) {
        setNote(`Fetching chunk ${index + 1} of ${run.length}`);
        parts.push((await source.fetch(chunk, AbortSignal.timeout(120_000))) as Uint8Array<ArrayBuffer>);
      }
      setUrl(URL.createObjectURL(new Blob(parts, { type: mimeType })));
      setNote('');
    } catch (error) {
      setNote(`It could not be fetched: ${error instanceof Error ? error.message : error}. Try again.`);
    }
  }

  return (
    <Note tone="plain" heading="This browser plays this type only as a whole" className="mt-3">
      It does not play while it grows, and the whole part has to be fetched into memory first.
      <div className="mt-2 flex flex-wrap items-center gap-2">
        {segments.map((segment) => (
          <Button key={segment} size="small" onClick={() => void load(segment)}>
            {segments.length > 1 ? `Fetch part ${segment + 1}` : 'Fetch it'} ({bytes(sizeOf(chunks, segment))})
          </Button>
        ))}
        <span role="status" className="text-[13px] text-soft">
          {note || (segments.length > 1 ? `${counted(segments.length, 'part')}: it was interrupted in between` : '')}
        </span>
      </div>
    </Note>
  );
}

function sizeOf(chunks: readonly Playable[], segment: number): number {
  return chunks.reduce((sum, chunk) => sum + (chunk.segment === segment ? chunk.size : 0), 0);
}
