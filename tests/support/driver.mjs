/**
 * Drives one real browser for the Python tests: JSON lines on stdin, JSON lines on stdout.
 *
 * In: `{"id": 1, "method": "click", "params": {"page": 1, "selector": "…", "timeout_ms": 30000}}`.
 * Out: `{"id": 1, "result": …}` or `{"id": 1, "error": "…"}`. When stdin ends, the browser is closed: no test that dies
 * leaves one behind. `browser.py` is the other end.
 */
import { appendFileSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

// The packages are the browser part's own: nothing is installed for the tests alone.
const require = createRequire(new URL('../../browser/package.json', import.meta.url));
const puppeteer = require('puppeteer-core');

const POLL_MS = 50;
// Sites' answers to permission prompts, and fake devices: see each engine's documentation of testing preferences.
const FIREFOX_PREFS = {
  'media.navigator.streams.fake': true,
  'media.navigator.permission.disabled': true,
  'dom.storageManager.prompt.testing': true,
  'dom.storageManager.prompt.testing.allow': true,
};

let browser;
/** What Firefox does for scripts of its own and WebDriver BiDi has no words for; null in Chromium. */
let firefox = null;
let nextId = 1;
const pages = new Map();
const contexts = new Map();

function pageOf({ page }) {
  const found = pages.get(page);
  if (!found) throw new Error(`page ${page} is closed or was never opened`);
  return found;
}

/** Keeps what the page says and what goes wrong in it, in order, until it is asked for. */
function collect(page) {
  const seen = { console: [], errors: [], failed_requests: [] };
  const at = () => Date.now() / 1000;
  page.on('console', (m) => seen.console.push({ level: m.type(), text: m.text(), url: m.location()?.url ?? '', at: at() }));
  page.on('pageerror', (e) => seen.errors.push({ message: String(e?.message ?? e), stack: String(e?.stack ?? ''), at: at() }));
  page.on('error', (e) => seen.errors.push({ message: `page crashed: ${e.message}`, stack: '', at: at() }));
  page.on('requestfailed', (r) => {
    const reason = r.failure()?.errorText ?? 'failed';
    seen.failed_requests.push({ method: r.method(), url: r.url(), status: null, reason, at: at() });
  });
  page.on('response', (r) => {
    if (r.status() < 400) return;
    const request = r.request();
    seen.failed_requests.push({ method: request.method(), url: r.url(), status: r.status(), reason: r.statusText(), at: at() });
  });
  page.on('dialog', (d) => void d.accept().catch(() => undefined));
  return seen;
}

/** Runs scripts in Firefox's own window, where a page's tab is `tab`. Needs `--remote-allow-system-access`. */
async function inFirefox() {
  const { connection } = browser;
  const windows = await connection.send('browsingContext.getTree', { 'moz:scope': 'chrome', maxDepth: 0 });
  const target = { context: windows.result.contexts[0].context };
  const tabs = 'ChromeUtils.importESModule("chrome://remote/content/shared/NavigableManager.sys.mjs").NavigableManager';
  return async (page, script) => {
    const tab = `${tabs}.getBrowsingContextById(${JSON.stringify(page.mainFrame()._id)})`;
    const expression = `((tab) => ${script})(${tab})`;
    const { result } = await connection.send('script.evaluate', { expression, target, awaitPromise: true });
    if (result.type !== 'success') throw new Error(result.exceptionDetails.text);
    return result.result.value;
  };
}

/** Colour scheme and motion as the person would have chosen them in their system. */
async function prefer(page, scheme, reducedMotion) {
  if (firefox) {
    await firefox(page, `void (tab.prefersColorSchemeOverride = '${scheme}')`);
    await firefox(page, `void Services.prefs.setIntPref('ui.prefersReducedMotion', ${reducedMotion ? 1 : 0})`);
    return;
  }
  await page.emulateMediaFeatures([
    { name: 'prefers-color-scheme', value: scheme },
    { name: 'prefers-reduced-motion', value: reducedMotion ? 'reduce' : 'no-preference' },
  ]);
}

/** A value as the answer's JSON can hold it: `undefined` becomes null. */
const plain = (value) => (value === undefined ? null : value);

const methods = {
  async launch({ engine, executable, profile, args, prefs, timeout_ms }) {
    const common = { executablePath: executable, userDataDir: profile, args, headless: true, timeout: timeout_ms };
    const signals = { handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false };
    const own =
      engine === 'firefox'
        ? { browser: 'firefox', protocol: 'webDriverBiDi', extraPrefsFirefox: { ...FIREFOX_PREFS, ...prefs } }
        : { browser: 'chrome', pipe: true };
    browser = await puppeteer.launch({ ...common, ...signals, ...own, defaultViewport: { width: 1280, height: 800 } });
    firefox = engine === 'firefox' ? await inFirefox() : null;
    return { pid: browser.process().pid, version: await browser.version() };
  },
  /** Tabs with storage, locks and channels of their own; what is stored there goes with it. */
  async new_context() {
    const id = nextId++;
    contexts.set(id, await browser.createBrowserContext());
    return id;
  },
  async close_context({ context }) {
    await contexts.get(context).close();
    contexts.delete(context);
    return null;
  },
  async new_page({ context }) {
    const page = await (contexts.get(context) ?? browser).newPage();
    const id = nextId++;
    pages.set(id, { page, seen: collect(page), axe: false });
    return id;
  },
  /** Files are saved into this folder, as if somebody had agreed to each. Chromium alone. */
  async save_into({ page, folder }) {
    const session = await pageOf({ page }).page.createCDPSession();
    await session.send('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: folder });
    return null;
  },
  async goto(params) {
    const { page } = pageOf(params);
    const response = await page.goto(params.url, { waitUntil: params.wait_until, timeout: params.timeout_ms });
    return response?.status() ?? null;
  },
  async reload(params) {
    await pageOf(params).page.reload({ waitUntil: params.wait_until, timeout: params.timeout_ms });
    return null;
  },
  async close_page(params) {
    const { page } = pageOf(params);
    pages.delete(params.page);
    await page.close({ runBeforeUnload: params.run_before_unload });
    return null;
  },
  /** Bytes that JavaScript has in use, in the page and in each of its workers; only Chromium tells. */
  async heap(params) {
    const { page } = pageOf(params);
    const used = async (session) => (await session.send('Runtime.getHeapUsage')).usedSize;
    const workers = await Promise.all(page.workers().map((worker) => used(worker.client)));
    return { page: await used(await page.createCDPSession()), workers };
  },
  /** What the browser lets this page's origin store, in bytes; only Chromium can be told, and forgets it with the tab. */
  async limit_storage(params) {
    const { page } = pageOf(params);
    const session = await page.createCDPSession();
    const { origin } = new URL(page.url());
    await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: params.bytes });
    return null;
  },
  async bring_to_front(params) {
    await pageOf(params).page.bringToFront();
    return null;
  },
  async evaluate(params) {
    return plain(await pageOf(params).page.evaluate(params.expression));
  },
  async evaluate_on_new_document(params) {
    await pageOf(params).page.evaluateOnNewDocument(params.source);
    return null;
  },
  /** `globalThis[name](line)` in the page resolves once the line is in the file, which outlives page and browser. */
  async mirror(params) {
    await pageOf(params).page.exposeFunction(params.name, (line) => appendFileSync(params.file, `${line}\n`));
    return null;
  },
  /** Not puppeteer's waitForFunction: that needs `eval`, which the page's content security policy forbids. */
  async wait_for(params) {
    const { page } = pageOf(params);
    const end = Date.now() + params.timeout_ms;
    let last = 'never evaluated';
    while (Date.now() < end) {
      try {
        const value = plain(await page.evaluate(params.expression));
        if (value) return value;
        last = JSON.stringify(value);
      } catch (e) {
        last = e.message; // a navigation under way: look again
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    throw new Error(`not true within ${params.timeout_ms} ms, last seen ${last}: ${params.expression}`);
  },
  async click(params) {
    await pageOf(params).page.locator(params.selector).setTimeout(params.timeout_ms).click();
    return null;
  },
  async type(params) {
    const { page } = pageOf(params);
    await page.locator(params.selector).setTimeout(params.timeout_ms).click();
    await page.keyboard.type(params.text);
    return null;
  },
  async press(params) {
    await pageOf(params).page.keyboard.press(params.key);
    return null;
  },
  async choose_files(params) {
    const { page } = pageOf(params);
    const input = await page.waitForSelector(params.selector, { timeout: params.timeout_ms });
    await input.uploadFile(...params.files);
    return null;
  },
  async screenshot(params) {
    await pageOf(params).page.screenshot({ path: params.path, fullPage: params.full_page });
    return null;
  },
  async viewport(params) {
    const { page } = pageOf(params);
    await page.setViewport({ width: params.width, height: params.height, deviceScaleFactor: params.scale });
    await prefer(page, params.scheme, params.reduced_motion);
    return null;
  },
  async seen(params) {
    return pageOf(params).seen;
  },
  async clear_seen(params) {
    for (const list of Object.values(pageOf(params).seen)) list.length = 0;
    return null;
  },
  async axe(params) {
    const { page } = pageOf(params);
    const loaded = await page.evaluate('typeof globalThis.axe === "object"');
    if (!loaded) await page.evaluate(readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8'));
    const run = `axe.run(document, { resultTypes: ['violations'] }).then((r) => r.violations.map((v) => ({
      id: v.id, impact: v.impact ?? '', help: v.help, nodes: v.nodes.map((n) => n.html + ' :: ' + n.failureSummary) })))`;
    return await page.evaluate(run);
  },
  /** Ends the page's renderer as a crash does. Firefox ends all tabs of the same site with it. */
  async crash(params) {
    const { page } = pageOf(params);
    if (firefox) {
      process.kill(await firefox(page, 'tab.currentWindowGlobal.osPid'), 'SIGKILL');
      return null;
    }
    const crashed = new Promise((resolve) => page.once('error', resolve));
    void page.goto('chrome://crash').catch(() => undefined);
    await crashed;
    return null;
  },
  async close() {
    await browser?.close();
    browser = undefined;
    return null;
  },
};

function answer(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

async function handle(line) {
  const { id, method, params } = JSON.parse(line);
  try {
    if (!Object.hasOwn(methods, method)) throw new Error(`no such method: ${method}`);
    answer({ id, result: await methods[method](params) });
  } catch (e) {
    answer({ id, error: e.message ?? String(e) });
  }
}

// A browser killed by a test rejects whatever was under way in it: that is the test's business, not this process's end.
process.on('unhandledRejection', (e) => process.stderr.write(`unhandled: ${e?.stack ?? e}\n`));

const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => void handle(line));
lines.on('close', async () => {
  await methods.close().catch(() => browser?.process()?.kill('SIGKILL'));
  process.exit(0);
});
