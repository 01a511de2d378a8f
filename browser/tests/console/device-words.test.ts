import { describe, expect, it } from 'vitest';
import { deviceWords } from '../../src/console/shell/device-words';
import { chunk, snapshotOf, view } from './views';

const unprotected = { persisted: false, usage: null, quota: 15e9 };

describe('what this device keeps', () => {
  it('is nothing once all was released, and then nothing can be cleared', () => {
    const released = view([chunk(0, 'released'), chunk(1, 'released')], 2);
    const { kept, share, warning } = deviceWords(snapshotOf([released], { storage: unprotected }));
    expect([kept, share, warning]).toEqual(['This device keeps nothing, with room for 15 GB', 0, '']);
  });

  it('is what was not released, confirmed or not, whatever the browser estimates', () => {
    const one = view([chunk(0, 'released'), chunk(1, 'confirmed'), chunk(2, 'on_disk'), chunk(3, 'writing')], 2);
    const storage = { persisted: true, usage: 4_294_967_190, quota: 15e9 };
    expect(deviceWords(snapshotOf([one], { storage })).kept).toBe(
      'This device keeps 3.0 MB of 15 GB · kept on pressure',
    );
    const { kept, warning } = deviceWords(snapshotOf([one], { storage: unprotected }));
    expect([kept.endsWith('not protected'), warning.startsWith('The browser may clear it')]).toEqual([true, true]);
  });

  it('is told apart from spare copies, which may go at any time', () => {
    const spare = { storage: unprotected, kept: { chunks: 2, bytes: 2e6 } };
    const words = (views: Parameters<typeof snapshotOf>[0]) => deviceWords(snapshotOf(views, spare));
    expect(words([])).toMatchObject({
      kept: 'This device keeps nothing that is not safe in your bucket · 2.0 MB of spare copies, given up when room is needed',
      warning: '',
    });
    expect(words([view([chunk(0, 'on_disk')], 1)]).kept).toMatch(
      /^This device keeps 1.0 MB of 15 GB · not protected · 2.0 MB of spare/,
    );
  });

  it('is not known before the device was looked through', () => {
    expect(deviceWords(snapshotOf([], { ready: false, storage: unprotected }))).toMatchObject({
      share: 0,
      warning: '',
    });
  });

  it('may be of somebody else: that can be cleared as well', () => {
    expect(deviceWords(snapshotOf([], { foreignChunks: 2, storage: unprotected })).warning).not.toBe('');
  });
});
