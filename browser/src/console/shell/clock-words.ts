import { roughly } from '../format';

/** What to say of a clock that is `aheadMs` ahead of the server's (behind: below 0). */
export function clockWords(aheadMs: number): { heading: string; rest: string } {
  return {
    heading: `This device’s clock is about ${roughly(Math.abs(aheadMs))} ${aheadMs > 0 ? 'fast' : 'slow'}`,
    rest: 'Nothing is lost by it: recorded time is counted by a clock that nobody sets, and sending waits for neither. Only dates and times of day can be wrong, until the device’s clock is set right.',
  };
}
