import { expect, test } from 'vitest';
import { assertUnknownAtServer, deleteAtServer } from '../../src/recorder/deletion';
import { SafereelError } from '../../src/recorder/errors';
import { FakeControlPlane, type Fault, failure } from './support/fake-control-plane';

const REQUEST = { recorder_id: 'd', source: 'recorder' as const, mime_type: 'video/webm', title: '' };
const never = new AbortController().signal;

async function planeWith(id: string): Promise<FakeControlPlane> {
  const plane = new FakeControlPlane();
  await plane.start(id, REQUEST);
  return plane;
}

test('a deletion that the control plane agrees to, also twice', async () => {
  const plane = await planeWith('r1');
  await deleteAtServer(plane, 'r1', never);
  await deleteAtServer(plane, 'r1', never);
  plane.delete = () => Promise.reject(failure(410, 'recording_deleted'));
  await deleteAtServer(plane, 'r1', never);
  expect(plane.deleted.has('r1')).toBe(true);
});

test.each([
  ['drop', 'delete_failed'],
  ['lose', 'delete_failed'],
  [429, 'delete_failed'],
  [503, 'delete_failed'],
  [404, 'delete_failed'],
  [410, 'delete_failed'],
] as [Fault, string][])('met by %s it is not done: %s', async (fault, code) => {
  const plane = await planeWith('r1');
  plane.fault = () => fault;
  await expect(deleteAtServer(plane, 'r1', never)).rejects.toMatchObject({ code });
});

test('what the control plane does not know is said to be just that', async () => {
  const plane = new FakeControlPlane();
  await expect(deleteAtServer(plane, 'r2', never)).rejects.toMatchObject({ code: 'recording_unknown' });
});

test('the request id of a refusal goes along', async () => {
  const plane = await planeWith('r1');
  const refusal = failure(503, 'storage_unavailable');
  refusal.problem.request_id = 'req-7';
  plane.delete = () => Promise.reject(refusal);
  await expect(deleteAtServer(plane, 'r1', never)).rejects.toMatchObject({ requestId: 'req-7' });
});

test('only what the control plane itself calls unknown or deleted may be thrown away here alone', async () => {
  const plane = await planeWith('r1');
  await assertUnknownAtServer(plane, 'r2', never);
  await expect(assertUnknownAtServer(plane, 'r1', never)).rejects.toMatchObject({ code: 'recording_known' });
  plane.fault = () => 404;
  await expect(assertUnknownAtServer(plane, 'r2', never)).rejects.toMatchObject({ code: 'delete_failed' });
  plane.fault = () => 'drop';
  await expect(assertUnknownAtServer(plane, 'r2', never)).rejects.toMatchObject({ code: 'delete_failed' });
  plane.fault = () => null;
  await plane.delete('r1');
  await assertUnknownAtServer(plane, 'r1', never);
});

test('an error of the SDK keeps the request id', () => {
  const error = new SafereelError('delete_failed');
  error.requestId = 'req-7';
  expect(error.problem).toMatchObject({ code: 'delete_failed', request_id: 'req-7' });
});
