import { classNames } from '../ui/class-names';

/** How much is safe in the bucket (solid), only on a device (hatched), or lost (crossed). */
export function SafeBar({ safe, lost = 0, className }: { safe: number; lost?: number; className?: string }) {
  const held = Math.max(0, 1 - safe - lost);
  const percent = Math.floor(safe * 100);
  return (
    <span
      role="img"
      aria-label={`${percent} percent safe in the bucket`}
      className={classNames('flex h-2 gap-px overflow-hidden rounded bg-line', className)}
    >
      <Share size={safe} look="bg-safe" />
      <Share size={held} look="bg-[repeating-linear-gradient(115deg,var(--hold)_0_4px,transparent_4px_6px)]" />
      <Share size={lost} look="bg-alert" />
    </span>
  );
}

function Share({ size, look }: { size: number; look: string }) {
  return size > 0 ? <i className={classNames('min-w-0.5', look)} style={{ width: `${size * 100}%` }} /> : null;
}
