import { classNames } from '../ui/class-names';

interface ProgressBarProps {
  percent: number;
  /** What it is the progress of. */
  label: string;
  /** The figure in words, for those who do not see it. */
  words: string;
  className?: string;
}

/** How much is done, as a line that fills; at rest under reduced motion. */
export function ProgressBar({ percent, label, words, className }: ProgressBarProps) {
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent}
      aria-valuetext={words}
      className={classNames('h-2 overflow-hidden rounded bg-line', className)}
    >
      <i
        className="block h-full min-w-0.5 bg-ink transition-[width] duration-500 ease-linear"
        style={{ width: `${percent}%` }}
      />
    </div>
  );
}
