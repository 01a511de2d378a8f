import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Announcer, QUIET_MS, REST_MS } from '../../src/console/record/announcer';

let said: string[];
let announcer: Announcer;

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
  said = [];
  announcer = new Announcer((sentence) => said.push(sentence));
});
afterEach(() => {
  vi.useRealTimers();
});

describe('what is read out', () => {
  it('catches up with what changed after an occasion', () => {
    announcer.hear('Nothing yet.', 'paused');
    announcer.hear('Up to 00:00:05.', 'paused');
    vi.advanceTimersByTime(REST_MS - 1);
    announcer.hear('Up to 00:00:12.', 'paused');
    expect(said).toEqual(['Nothing yet.']);
    vi.advanceTimersByTime(REST_MS);
    expect(said).toEqual(['Nothing yet.', 'Up to 00:00:12.']);
    vi.advanceTimersByTime(10 * QUIET_MS);
    expect(said).toHaveLength(2);
  });

  it('is said once a minute of what never rests', () => {
    for (let second = 0; second <= 240; second += 1) {
      announcer.hear(`Up to ${second}.`, 'recording');
      vi.advanceTimersByTime(1000);
    }
    expect(said.map((sentence) => Number(sentence.match(/\d+/)))).toEqual([0, 59, 119, 179, 239]);
  });

  it('is a new occasion at once', () => {
    announcer.hear('Up to 5.', 'recording');
    announcer.hear('Up to 6.', 'recording');
    announcer.hear('Up to 6.', 'paused');
    expect(said).toEqual(['Up to 5.', 'Up to 6.']);
  });

  it('is nothing where a sentence came back to what was said', () => {
    announcer.hear('Safe.', 'complete');
    announcer.hear('One chunk is sent again.', 'complete');
    announcer.hear('Safe.', 'complete');
    vi.advanceTimersByTime(QUIET_MS);
    expect(said).toEqual(['Safe.']);
  });

  it('is nothing more once the page is left', () => {
    announcer.hear('A', 'one');
    announcer.hear('B', 'one');
    announcer.stop();
    vi.advanceTimersByTime(QUIET_MS);
    expect(said).toEqual(['A']);
  });
});
