import { useParts, useStudio } from '../parts';
import { Button } from '../ui/button';
import { Note } from '../ui/note';
import { lossWords } from './loss-words';
import { DeviceField } from './setup';

/** A device went away while it was recorded: what goes on, and another one to choose. */
export function LossNotice() {
  const { studio } = useParts();
  const { loss, choice, devices } = useStudio();
  if (!loss) return null;
  const { tone, heading, rest } = lossWords(loss);
  return (
    <Note
      key={heading}
      tone={tone}
      role={loss.isBack ? 'status' : 'alert'}
      data-testid="device-loss"
      data-left={loss.isBack ? 'back' : loss.left.join(' ')}
      heading={heading}
      className="mt-4"
      actions={
        loss.isBack ? (
          <Button size="small" onClick={() => studio.dismissLoss()}>
            Understood
          </Button>
        ) : (
          <Button size="small" data-testid="device-retry" onClick={() => void studio.reopen()}>
            Try again
          </Button>
        )
      }
    >
      {rest} {loss.problem ? loss.problem.detail : ''}
      {loss.isBack ? null : (
        <div className="mt-2 grid max-w-[560px] gap-3 sm:grid-cols-2">
          {choice.source === 'camera' && loss.gone.includes('video') ? (
            <DeviceField
              label="Camera"
              kind="videoinput"
              value={choice.cameraId}
              devices={devices}
              onChange={(cameraId) => studio.choose({ cameraId })}
            />
          ) : null}
          {loss.gone.includes('audio') ? (
            <DeviceField
              label="Microphone"
              kind="audioinput"
              value={choice.microphoneId}
              devices={devices}
              onChange={(microphoneId) => studio.choose({ microphoneId })}
            />
          ) : null}
        </div>
      )}
    </Note>
  );
}
