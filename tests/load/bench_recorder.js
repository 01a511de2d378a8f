/** In the page that is measured: what delays its main thread, how long flushes take, and uploads beside bare PUTs. */
(() => {
  const tasks = [];
  const late = [];
  const flushes = [];
  if (PerformanceObserver.supportedEntryTypes.includes('longtask'))
    new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration))).observe({
      type: 'longtask',
    });
  const EVERY_MS = 20;
  let due = performance.now() + EVERY_MS;
  setInterval(() => {
    const now = performance.now();
    if (now - due > 50) late.push(now - due);
    due = now + EVERY_MS;
  }, EVERY_MS);
  safereel.subscribe((event) => event.type === 'flushed' && flushes.push(event.flushMs));

  const CHUNK = 8 * 1024 * 1024;
  const hex = (bytes) => [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, '0')).join('');

  /** Bytes that were never sent before, as a file. */
  function fileOf(mib) {
    const bytes = new Uint8Array(mib * 1024 * 1024);
    for (let at = 0; at < bytes.length; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
    return new File([bytes], 'bench.webm', { type: 'video/webm' });
  }

  /** Milliseconds until the bucket has all of it by bare PUTs, so many at once; digests and grants are not in it. */
  async function bare({ mib, endpoint, token, lanes }) {
    const file = fileOf(mib);
    const call = async (method, path, body) => {
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
      const answer = await fetch(`${endpoint}/v1/recordings/${path}`, { method, headers, body: JSON.stringify(body) });
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status}`);
      return answer.json();
    };
    const id = crypto.randomUUID();
    await call('PUT', id, { recorder_id: crypto.randomUUID(), source: 'file', mime_type: 'video/webm' });
    const pieces = [];
    for (let at = 0; at < file.size; at += CHUNK) pieces.push(file.slice(at, at + CHUNK));
    const chunks = [];
    for (const [seq, piece] of pieces.entries()) {
      const sha256 = hex(await crypto.subtle.digest('SHA-256', await piece.arrayBuffer()));
      chunks.push({ seq, segment: 0, size: piece.size, sha256 });
    }
    const { grants } = await call('POST', `${id}/grants`, { chunks });
    const began = performance.now();
    const waiting = [...grants];
    const lane = async () => {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        const answer = await fetch(next.put.url, { method: 'PUT', headers: next.put.headers, body: pieces[next.seq] });
        if (!answer.ok) throw new Error(`PUT: ${answer.status}`);
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    return performance.now() - began;
  }

  /** The same by `uploadFile`, from the call until the bucket has all of it: reading, digests, copies and acks are in it. */
  async function upload({ mib }) {
    const file = fileOf(mib);
    const began = performance.now();
    const sent = await safereel.uploadFile(file);
    await new Promise((resolve) => {
      const look = () => (sent.progress()?.sentBytes ?? 0) >= file.size && (off(), resolve());
      const off = safereel.subscribe(look);
      look();
    });
    return performance.now() - began;
  }

  globalThis.bench = { told: () => ({ tasks, late, flushes }), bare, upload };
})();
