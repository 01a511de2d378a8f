import { describe, expect, it } from 'vitest';
import type { StoredStatus } from '../../src/console/bucket-view';
import { harmOf } from '../../src/console/recording/harm-words';
import type { TapeChunk } from '../../src/console/tape-cells';
import { chunk, view } from './views';

const tape: TapeChunk[] = Array.from({ length: 60 }, (_, seq) => chunk(seq, 'released'));
const status = (part: Partial<StoredStatus>) =>
  ({ lost: [], missing: [], open_tickets: 0, complete: true, ...part }) as StoredStatus;
const untimed = tape.map((one) => ({ ...one, durationMs: 0 }));

describe('what the bucket lacks of a recording', () => {
  it('is not spoken of where nothing is wrong', () => {
    expect(harmOf(null, [], undefined)).toEqual([]);
    expect(harmOf(status({}), tape, undefined)).toEqual([]);
  });

  it('names what is lost by its time, why it is, that the rest is kept, and what can still help', () => {
    const [harm] = harmOf(status({ lost: [[20, 21]] }), tape, undefined);
    expect(harm?.heading).toBe('2 chunks are lost: 00:01:40 to 00:01:50 (chunks 20–21)');
    expect(harm?.rest).toMatch(/every device that was known to hold them has let them go or was silent for too long/);
    expect(harm?.rest).toContain('All other chunks are kept.');
    expect(harm?.rest).toMatch(/If a device has them after all, they are sent .* Safereel is opened there\.$/);
  });

  it('names one by one, a few places and how many more, and numbers alone where no time is known', () => {
    expect(harmOf(status({ lost: [[3, 3]] }), untimed, undefined)[0]?.heading).toBe('1 chunk is lost: chunk 3');
    const many = harmOf(status({ lost: [0, 2, 4, 6, 8, 10].map((seq) => [seq, seq]) }), tape, undefined);
    expect(many[0]?.heading).toMatch(/^6 chunks are lost: 00:00:00 to 00:00:05 \(chunk 0\), .* and 2 more places$/);
  });

  it.each([
    ['this device holds them', 2, view([chunk(4, 'resending'), chunk(5, 'on_disk')], 0), 'this device holds them and'],
    ['another is asked', 2, view([chunk(4, 'resending')], 0), 'whoever recorded them is asked to send them again'],
    ['another is asked, nothing here', 2, undefined, 'open Safereel in the browser that recorded this'],
    ['nobody is asked yet', 0, undefined, 'the bucket is searched for another copy of them'],
  ])('says who sends again what is gone: %s', (_what, open_tickets, here, said) => {
    const [harm] = harmOf(status({ missing: [[4, 5]], open_tickets }), tape, here);
    expect(harm?.heading).toBe('2 chunks are gone from the bucket: 00:00:20 to 00:00:30 (chunks 4–5)');
    expect(harm?.rest).toMatch(/^Nothing is given up: /);
    expect(harm?.rest).toContain(said);
  });

  it('tells both, the lost ones first', () => {
    const both = harmOf(status({ lost: [[1, 1]], missing: [[2, 2]], open_tickets: 1 }), tape, undefined);
    expect(both.map(({ kind }) => kind)).toEqual(['lost', 'missing']);
  });
});
