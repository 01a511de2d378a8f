import { type ReactNode, useEffect, useState } from 'react';
import type { ChunkState } from '../../recorder/types';
import { CELL_STATES, STATE_MEANING, STATE_WORDS, TIME_WORDS } from '../chunk-words';
import { bytes, clock, counted, instant, whole } from '../format';
import { useParts } from '../parts';
import { stateCounts, type TapeChunk } from '../tape-cells';
import { classNames } from '../ui/class-names';
import { stateInk } from './cell-fill';

const ON_THE_WAY: readonly ChunkState[] = [
  'writing',
  'on_disk',
  'uploading',
  'in_bucket',
  'acked',
  'confirmed',
  'resending',
  'released',
];

/** All that is known of one chunk. */
export function ChunkFacts({ chunk, recordingId }: { chunk: TapeChunk; recordingId: string }) {
  const key = useKey(chunk, recordingId);
  const times = ON_THE_WAY.flatMap((state) =>
    chunk.times[state] === undefined ? [] : [{ state, at: chunk.times[state] }],
  );
  return (
    <>
      <h3 className="font-semibold text-[15px]">
        Chunk {whole(chunk.seq)}{' '}
        <span className={classNames('font-medium', stateInk(chunk.state))}>{STATE_WORDS[chunk.state]}</span>
      </h3>
      <p className="mt-0.5 mb-3 text-pretty text-soft">{STATE_MEANING[chunk.state]}</p>
      <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1.5">
        <Fact name="Number">
          {whole(chunk.seq)}, part {chunk.segment + 1}
        </Fact>
        {chunk.durationMs > 0 ? (
          <Fact name="Covers">
            {clock(chunk.startMs)} to {clock(chunk.startMs + chunk.durationMs)}
          </Fact>
        ) : null}
        <Fact name="Size">
          {bytes(chunk.size)} <span className="text-soft">({whole(chunk.size)} bytes)</span>
        </Fact>
        {chunk.resent > 0 ? <Fact name="Sent again">{counted(chunk.resent, 'time')}</Fact> : null}
        {times.map(({ state, at }) => (
          <Fact key={state} name={TIME_WORDS[state]}>
            {instant(at)}
          </Fact>
        ))}
        <Fact name="SHA-256">{chunk.sha256 ? <Code>{chunk.sha256}</Code> : 'known once it is sealed'}</Fact>
        {key ? (
          <Fact name="Key">
            <Code>{key}</Code>
          </Fact>
        ) : null}
      </dl>
    </>
  );
}

/** What a group of chunks adds up to. */
export function GroupFacts({ chunks }: { chunks: readonly TapeChunk[] }) {
  const counts = stateCounts(chunks);
  const first = chunks[0];
  const last = chunks.at(-1);
  if (!first || !last) return null;
  return (
    <>
      <h3 className="font-semibold text-[15px]">
        Chunks {whole(first.seq)} to {whole(last.seq)}
      </h3>
      <p className="mt-0.5 mb-3 text-soft">
        {last.durationMs > 0 ? `${clock(first.startMs)} to ${clock(last.startMs + last.durationMs)} · ` : ''}
        {bytes(chunks.reduce((sum, { size }) => sum + size, 0))}
      </p>
      <dl className="mb-3 grid grid-cols-[auto_1fr] gap-x-4 gap-y-1">
        {CELL_STATES.filter((state) => counts[state]).map((state) => (
          <Fact key={state} name={sentence(STATE_WORDS[state])}>
            {whole(counts[state] ?? 0)}
          </Fact>
        ))}
      </dl>
    </>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt className="text-soft">{name}</dt>
      <dd className="min-w-0">{children}</dd>
    </>
  );
}

function Code({ children }: { children: string }) {
  return <code className="block select-all break-all font-mono text-[12px] leading-[1.45]">{children}</code>;
}

/** The object's key, asked of the server where this device does not know it: nothing rests on it. */
function useKey(chunk: TapeChunk, recordingId: string): string | null {
  const { bucket } = useParts();
  const [asked, setAsked] = useState<{ seq: number; key: string } | null>(null);
  const known = chunk.key ?? null;
  const arrived = ['acked', 'confirmed', 'released'].includes(chunk.state);
  useEffect(() => {
    if (known || !arrived) return;
    const abort = new AbortController();
    bucket
      .chunks(recordingId, chunk.seq - 1, 1, abort.signal)
      .then(({ chunks: [found] }) => found?.seq === chunk.seq && setAsked({ seq: found.seq, key: found.key }))
      .catch(() => undefined);
    return () => abort.abort();
  }, [bucket, recordingId, chunk.seq, known, arrived]);
  return known ?? (asked?.seq === chunk.seq ? asked.key : null);
}

function sentence(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}
