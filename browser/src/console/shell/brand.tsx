/** The mark: a reel whose last part is still on its way. */
export function Brand() {
  return (
    <span className="flex items-center gap-2.5 font-semibold text-[16px]">
      <svg viewBox="0 0 20 20" fill="none" strokeWidth="5" aria-hidden="true" className="size-5">
        <circle cx="10" cy="10" r="7.5" className="stroke-safe-soft" />
        <path d="M15.3 4.7a7.5 7.5 0 1 0 0 10.6" className="stroke-safe" />
      </svg>
      <span className="max-[480px]:sr-only">Safereel</span>
    </span>
  );
}
