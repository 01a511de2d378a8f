/**
 * Takes a picture of every scene, wide and narrow, light and dark, and lets axe-core look at each.
 *
 *     npx vite --port 5199 &
 *     node tests/console/gallery/look.mjs http://localhost:5199 OUT_DIR [scene …]
 */
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import puppeteer from 'puppeteer-core';

const [origin, folder, ...wanted] = process.argv.slice(2);
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'];
const more = ['--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required'];
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
let current = '';
let failures = 0;
const browser = await puppeteer.launch({ executablePath, args: [...flags, ...more] });
await mkdir(folder, { recursive: true });
const page = await browser.newPage();
page.on('pageerror', (error) => report(`page error: ${error}`));
page.on('console', (message) => message.type() === 'error' && report(message.text()));

const gallery = `${origin}/tests/console/gallery/index.html`;
await page.goto(gallery);
await page.waitForSelector('a');
const scenes = wanted.length > 0 ? wanted : await page.$$eval('a', (links) => links.map((link) => link.textContent));
for (const scheme of ['light', 'dark']) {
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
  for (const [width, height] of [
    [1280, 900],
    [390, 844],
    [360, 740],
  ]) {
    await page.setViewport({ width, height });
    for (const scene of scenes) await look(scene, scheme, width);
  }
}
await browser.close();
process.exit(failures > 0 ? 1 : 0);

async function look(scene, scheme, width) {
  current = `${scene}-${width}-${scheme}`;
  await page.goto(`${gallery}?scene=${scene}`);
  await page.waitForSelector('main');
  await new Promise((resolve) => setTimeout(resolve, 700));
  await page.screenshot({ path: `${folder}/${current}.png` });
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (over > 0) report(`scrolls sideways by ${over} px`);
  await page.evaluate(axe);
  const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  for (const { id, nodes } of found.violations)
    report(
      `axe ${id}: ${nodes
        .map((node) => `${node.target} ${node.any[0]?.message ?? ''}`)
        .slice(0, 3)
        .join(' | ')}`,
    );
}

function report(text) {
  failures += 1;
  process.stdout.write(`${current}: ${text}\n`);
}
