import { useParts, useStudio } from '../parts';
import { Button } from '../ui/button';
import { Note } from '../ui/note';
import { DeviceChoosers } from './device-choosers';
import { lossWords, refusalWords } from './loss-words';

/** A device went away while it was recorded: what goes on, and another one to choose. */
export function LossNotice() {
  const { studio } = useParts();
  const { loss, choice } = useStudio();
  if (!loss) return null;
  const { tone, heading, rest } = lossWords(loss);
  const over = loss.isBack || loss.share === 'sound';
  // Where nothing but the sound was recorded, no camera helps.
  const wanted = loss.gone.filter((kind) => kind === 'audio' || choice.source === 'camera');
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
        over ? (
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
      {rest} {refusalWords(loss.problem)}
      {over ? null : (
        <div className="mt-2 grid max-w-[560px] gap-3 sm:grid-cols-2">
          <DeviceChoosers kinds={wanted} />
        </div>
      )}
    </Note>
  );
}
