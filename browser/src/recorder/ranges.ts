/** Inclusive pairs in rising order, as the protocol writes them: `[[0, 41], [43, 43]]`. */
export type Ranges = readonly (readonly [number, number])[];

/** The ranges that hold exactly these numbers, whatever their order; each number counts once. */
export function toRanges(numbers: Iterable<number>): [number, number][] {
  const ranges: [number, number][] = [];
  for (const n of [...numbers].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last && n <= last[1] + 1) last[1] = Math.max(last[1], n);
    else ranges.push([n, n]);
  }
  return ranges;
}

/** Whether `n` lies in one of the ranges; binary search, since a status can hold thousands. */
export function inRanges(ranges: Ranges, n: number): boolean {
  let low = 0;
  let high = ranges.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const range = ranges[middle];
    if (!range) return false;
    if (n < range[0]) high = middle - 1;
    else if (n > range[1]) low = middle + 1;
    else return true;
  }
  return false;
}

/** How many numbers the ranges hold. */
export function countOf(ranges: Ranges): number {
  return ranges.reduce((sum, [from, to]) => sum + to - from + 1, 0);
}
