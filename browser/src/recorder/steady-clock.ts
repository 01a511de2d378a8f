/**
 * Epoch ms by a clock that nobody sets: what waits for a time must not wait for hours because the device's clock was set back. Whole
 * ones: a timer cuts off what is below. For waits alone, since it stands still while some devices sleep.
 */
export function steadyNow(): number {
  return Math.floor(performance.timeOrigin + performance.now());
}
