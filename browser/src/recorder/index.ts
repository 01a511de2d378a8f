/**
 * The recorder SDK: recordings made in a browser that cannot get lost.
 *
 *     const safereel = createSafereel({ endpoint, getToken });
 *     const recording = await safereel.record(stream, { title: 'Room 4' });
 *     await recording.stop();
 *     await recording.completed();
 */
export type { SafereelErrorCode } from './errors';
export { SafereelError } from './errors';
export { createSafereel } from './recorder';
export type * from './types';
