import { Camera, Mic, MonitorUp } from 'lucide-react';
import type { ReactNode } from 'react';
import type { TrackKind } from '../../recorder/types';
import { useParts, useStudio } from '../parts';
import type { Choice, Source } from '../sources';
import { Card, CardHead } from '../ui/card';
import { TextField } from '../ui/field';
import { DeviceChoosers } from './device-choosers';

const SOURCES: readonly { source: Source; name: string; note: string; Icon: typeof Camera }[] = [
  { source: 'camera', name: 'Camera', note: 'and microphone', Icon: Camera },
  { source: 'microphone', name: 'Sound', note: 'microphone only', Icon: Mic },
  { source: 'screen', name: 'Screen', note: 'or a window', Icon: MonitorUp },
];

/** What to record, before anything is recorded. */
export function Setup({ children }: { children?: ReactNode }) {
  const { studio } = useParts();
  const { choice, title, phase } = useStudio();
  const busy = phase === 'asking';
  return (
    <Card aria-labelledby="setup-head" className="flex flex-col">
      <CardHead id="setup-head" title="What to record" />
      <fieldset disabled={busy} className="min-w-0">
        <legend className="sr-only">Source</legend>
        <div className="grid grid-cols-3 gap-2">
          {SOURCES.map((one) => (
            <SourceCard
              key={one.source}
              {...one}
              chosen={choice.source === one.source}
              onChoose={() => studio.choose({ source: one.source })}
            />
          ))}
        </div>
        <div className="mt-4 grid gap-3">
          {choice.source === 'screen' ? (
            <label className="flex items-center gap-2.5 py-1" data-choice>
              <input
                type="checkbox"
                className="size-[18px] accent-(--safe)"
                checked={choice.withMicrophone}
                onChange={(event) => studio.choose({ withMicrophone: event.target.checked })}
              />
              Record the microphone as well
            </label>
          ) : null}
          <DeviceChoosers kinds={kindsOf(choice)} />
          <TextField
            data-testid="title-input"
            label="Title"
            placeholder="Named by its time if left empty"
            maxLength={200}
            value={title}
            onChange={(event) => studio.setTitle(event.target.value)}
          />
        </div>
      </fieldset>
      {children}
    </Card>
  );
}

interface SourceCardProps {
  source: Source;
  name: string;
  note: string;
  Icon: typeof Camera;
  chosen: boolean;
  onChoose: () => void;
}

function SourceCard({ source, name, note, Icon, chosen, onChoose }: SourceCardProps) {
  return (
    <label
      data-testid={`source-${source}`}
      data-choice
      className="relative flex flex-col rounded-[10px] border border-faint p-3 leading-tight has-checked:border-ink has-checked:bg-ink has-checked:text-paper has-focus-visible:outline-2 has-focus-visible:outline-focus has-focus-visible:outline-offset-2"
    >
      <input type="radio" name="source" className="absolute opacity-0" checked={chosen} onChange={onChoose} />
      <Icon aria-hidden="true" className="mb-2 size-5" strokeWidth={1.8} />
      <span className="font-semibold">{name}</span>
      <span className="text-[12.5px] opacity-80 max-sm:hidden">{note}</span>
    </label>
  );
}

/** Which devices a source is made of. */
function kindsOf({ source, withMicrophone }: Choice): readonly TrackKind[] {
  if (source === 'camera') return ['video', 'audio'];
  return source === 'microphone' || withMicrophone ? ['audio'] : [];
}
