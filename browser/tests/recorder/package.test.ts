/** What the SDK is to whoever bundles it: nothing happens on import, and little is downloaded. */
import { gzipSync } from 'node:zlib';
import { build, type Rolldown } from 'vite';
import { expect, test } from 'vitest';

/**
 * Compressed bytes that a page loads with its own scripts; the worker loads beside it, and delays nothing. 2 % above what it is: see
 * docs/decisions/0008-sdk-size.md for what is in it.
 */
const PAGE_LARGEST = 9_150;

/** Compressed bytes of the worker, with as little room: whoever makes it grow further says here by what. */
const WORKER_LARGEST = 29_000;

const ENTRY = new URL('../../src/recorder/index.ts', import.meta.url).pathname;

/** The files of a page that runs `source`, minified as for production; by name, as bytes. */
async function bundle(source: string): Promise<Map<string, Buffer>> {
  const page = 'virtual:page';
  const built = (await build({
    configFile: false,
    logLevel: 'silent',
    plugins: [
      {
        name: 'page',
        resolveId: (id) => (id === page ? id : undefined),
        load: (id) => (id === page ? source.replace('safereel', ENTRY) : undefined),
      },
    ],
    worker: { format: 'es' },
    build: { write: false, target: 'es2022', modulePreload: false, rollupOptions: { input: page } },
  })) as Rolldown.RolldownOutput;
  return new Map(
    built.output.map((file) => [file.fileName, Buffer.from(file.type === 'chunk' ? file.code : file.source)]),
  );
}

function compressed(files: Map<string, Buffer>): number {
  return [...files.values()].reduce((sum, bytes) => sum + gzipSync(bytes, { level: 9 }).length, 0);
}

test('importing it on a server does nothing, and leaves nothing behind', async () => {
  expect(typeof Worker).toBe('undefined');
  const before = Object.getOwnPropertyNames(globalThis);
  const sdk = await import('../../src/recorder');
  expect(Object.keys(sdk).sort()).toEqual(['SafereelError', 'createSafereel']);
  expect(Object.getOwnPropertyNames(globalThis)).toEqual(before);
});

test('made on a server, it says that it cannot record there, and everything else does nothing', async () => {
  const { createSafereel } = await import('../../src/recorder');
  const safereel = createSafereel({ endpoint: 'https://a.example', getToken: async () => '' });
  expect(safereel.snapshot().ready).toBe(false);
  safereel.retryNow();
  safereel.limitUploads(1);
  await expect(safereel.ready()).rejects.toMatchObject({ code: 'no_browser' });
  await expect(safereel.record({} as MediaStream)).rejects.toMatchObject({ code: 'no_browser' });
  await expect(safereel.delete('x')).rejects.toMatchObject({ code: 'no_browser' });
  await safereel.close();
});

test('a limit that is none is refused in words', async () => {
  const { createSafereel } = await import('../../src/recorder');
  const options = { endpoint: '', getToken: async () => '' };
  expect(() => createSafereel(options).limitUploads(0)).toThrow(RangeError);
  expect(() => createSafereel(options).limitUploads(Number.NaN)).toThrow('above 0');
});

test('all of it is small', async () => {
  const files = await bundle(`import { createSafereel } from 'safereel'; globalThis.made = createSafereel;`);
  const [[worker, bytes] = ['', Buffer.of()]] = [...files].filter(([name]) => /spool\.worker/.test(name));
  files.delete(worker);
  expect(compressed(new Map([[worker, bytes]]))).toBeLessThan(WORKER_LARGEST);
  expect(compressed(files)).toBeLessThan(PAGE_LARGEST);
}, 30_000);

test('what a page does not use it does not load', async () => {
  const files = await bundle(
    `import { SafereelError } from 'safereel'; globalThis.isOurs = (e) => e instanceof SafereelError;`,
  );
  expect([...files.keys()].some((name) => /spool\.worker/.test(name))).toBe(false);
  expect(compressed(files)).toBeLessThan(4_500);
}, 30_000);
