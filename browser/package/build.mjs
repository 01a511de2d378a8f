/**
 * Makes the npm package `@safereel/recorder` in the folder that the command names: the SDK and its worker as one module each,
 * their types, and a manifest of its own. `browser/package.json` is that of the page, whose dependencies are nobody else's.
 *
 * Bundled, since a page without a bundler would fetch sixty files otherwise; minified, since such a page loads them as they
 * are. The source maps bring the sources along.
 */
import { execFileSync } from 'node:child_process';
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { rolldown } from 'rolldown';

const HERE = import.meta.dirname;
const BROWSER = join(HERE, '..');
const SOURCES = join(BROWSER, 'src', 'recorder');

/**
 * `new Worker(new URL('…', import.meta.url))`, in quotes, is what bundlers look for: the minifier writes backticks, and the file
 * that is shipped has another ending. The texts are of one length, so the source map stays true.
 */
const workerAsShipped = {
  name: 'worker-as-shipped',
  generateBundle(_, files) {
    for (const chunk of Object.values(files)) {
      if (chunk.name !== 'index') continue;
      const shipped = chunk.code.replace(
        'new Worker(new URL(`./spool.worker.ts`,import.meta.url),{type:`module`,name:`safereel`})',
        "new Worker(new URL('./spool.worker.js',import.meta.url),{type:'module',name:'safereel'})",
      );
      if (shipped === chunk.code)
        throw new Error('worker-link.ts starts its worker in another way: no bundler would see it');
      chunk.code = shipped;
    }
  },
};

async function bundle(name, folder) {
  const built = await rolldown({
    input: join(SOURCES, `${name}.ts`),
    platform: 'browser',
    tsconfig: join(BROWSER, 'tsconfig.json'),
    transform: { target: 'es2022' },
    plugins: [workerAsShipped],
  });
  await built.write({ file: join(folder, `${name}.js`), format: 'es', minify: true, sourcemap: true });
  await built.close();
}

/** The types that `index.d.ts` leads to; each import gets the ending that Node's resolution wants. */
async function writeTypes(folder) {
  const made = join(folder, 'made');
  const tsc = join(BROWSER, 'node_modules', 'typescript', 'bin', 'tsc');
  execFileSync(process.execPath, [tsc, '--project', HERE, '--outDir', made], { stdio: 'inherit' });
  const wanted = ['index'];
  for (const name of wanted) {
    const text = await readFile(join(made, `${name}.d.ts`), 'utf8');
    const whole = text.replace(/(from '|import\(')\.\/([\w-]+)'/g, (_, before, imported) => {
      if (!wanted.includes(imported)) wanted.push(imported);
      return `${before}./${imported}.js'`;
    });
    await writeFile(join(folder, `${name}.d.ts`), whole);
  }
  await rm(made, { recursive: true });
}

async function writeManifest(folder) {
  const { name, version, license, engines } = JSON.parse(await readFile(join(BROWSER, 'package.json'), 'utf8'));
  const manifest = {
    name,
    version,
    description: 'Recordings made in a browser that cannot get lost.',
    keywords: ['MediaRecorder', 'OPFS', 'recording', 'upload', 'S3'],
    license,
    type: 'module',
    engines,
    exports: {
      '.': { types: './index.d.ts', default: './index.js' },
      './spool.worker.js': './spool.worker.js',
      './package.json': './package.json',
    },
    sideEffects: ['./spool.worker.js'],
    publishConfig: { access: 'public' },
  };
  await writeFile(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

async function build(folder) {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await Promise.all([bundle('index', folder), bundle('spool.worker', folder)]);
  await writeTypes(folder);
  await writeManifest(folder);
  await copyFile(join(HERE, 'README.md'), join(folder, 'README.md'));
  await copyFile(join(BROWSER, '..', 'LICENSE'), join(folder, 'LICENSE'));
}

const [folder] = process.argv.slice(2);
if (!folder) throw new Error('Name the folder to make it in: node package/build.mjs FOLDER');
await build(resolve(folder));
