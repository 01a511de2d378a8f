import type { TrackKind } from '../../recorder/types';
import { useParts, useStudio } from '../parts';
import { SelectField } from '../ui/field';

const FIELDS = {
  video: { label: 'Camera', kind: 'videoinput', part: 'cameraId' },
  audio: { label: 'Microphone', kind: 'audioinput', part: 'microphoneId' },
} as const;

/** One field for each kind, with the devices that there are of it. While one is missing, what is chosen is tried at once. */
export function DeviceChoosers({ kinds }: { kinds: readonly TrackKind[] }) {
  const { studio } = useParts();
  const { choice, devices } = useStudio();
  return kinds.map((one) => {
    const { label, kind, part } = FIELDS[one];
    const named = devices.filter((device) => device.kind === kind && device.deviceId && device.label);
    return (
      <SelectField
        key={one}
        label={label}
        value={choice[part]}
        onChange={(event) => studio.choose({ [part]: event.target.value })}
      >
        <option value="">The browser's default</option>
        {named.map(({ deviceId, label: name }) => (
          <option key={deviceId} value={deviceId}>
            {name}
          </option>
        ))}
      </SelectField>
    );
  });
}
