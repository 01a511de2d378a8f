/** What the worker tells by code, and what a person reads of it. */
import { expect, test } from 'vitest';
import { asProblem, errorFrom, problemOf, SafereelError, worded } from '../../src/recorder/errors';
import { asTrouble, Failure, isStorageFull, reasonOf, troubleOf } from '../../src/recorder/failure';

test('the worker tells a code and a reason, the page the sentence with it', () => {
  const told = structuredClone(asTrouble(new Failure('write_failed', new TypeError('no disk')), 'unexpected'));
  expect(told).toEqual({ code: 'write_failed', reason: 'TypeError: no disk' });
  const { code, detail, ...more } = worded(told);
  expect([code, more]).toEqual(['write_failed', {}]);
  expect(detail).toMatch(/waits in memory.*Keep this page open\. \(TypeError: no disk\)$/);
});

test('without a reason there are no brackets', () => {
  expect(worded(troubleOf('closed')).detail).toMatch(/^This recorder was closed\..*next visit\.$/);
});

test('what the control plane said stays in its own words, also under a code that the SDK has too', () => {
  const said = { code: 'recording_deleted', detail: 'Gone since Monday.', status: 410, request_id: 'req-1' };
  expect(worded(said)).toBe(said);
  expect(errorFrom(said)).toMatchObject({
    code: 'recording_deleted',
    message: 'Gone since Monday.',
    requestId: 'req-1',
  });
});

test('an error of the worker is one of the page with the same code, words and request id', () => {
  const failure = new Failure('delete_failed', 'the server is busy');
  failure.requestId = 'req-7';
  const error = errorFrom(structuredClone(asTrouble(failure, 'unexpected')));
  expect(error).toBeInstanceOf(SafereelError);
  expect(error).toMatchObject({ name: 'SafereelError', code: 'delete_failed', requestId: 'req-7' });
  expect(error.message).toBe(new SafereelError('delete_failed', 'the server is busy').message);
});

test('any other error is told by the code that fits the place, with what it said', () => {
  expect(asTrouble(new RangeError('odd'), 'recovery_failed')).toEqual({
    code: 'recovery_failed',
    reason: 'RangeError: odd',
  });
  expect(asProblem(new RangeError('odd'), 'recovery_failed')).toEqual(
    problemOf('recovery_failed', new RangeError('odd')),
  );
});

test('a reason is what is behind it all, in one line', () => {
  const within = new SafereelError('no_supported_type', new Error('no VP9'));
  expect(reasonOf(new Failure('continue_unsupported', within))).toBe('Error: no VP9');
  expect(new SafereelError('continue_unsupported', within).message).toMatch(
    /begin a new recording\. \(Error: no VP9\)$/,
  );
  expect(reasonOf(new SafereelError('closed'))).toBe('closed');
});

test('a full disk is known by its code and by every name browsers gave it', () => {
  expect(isStorageFull(new Failure('storage_full'))).toBe(true);
  expect(isStorageFull(new DOMException('', 'QuotaExceededError'))).toBe(true);
  expect(isStorageFull(new Failure('write_failed'))).toBe(false);
});
