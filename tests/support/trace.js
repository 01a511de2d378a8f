/** Put before the recorder's worker: tells, in the order in which they were done, what it did to files and to the network. */
{
  const tell = (entry) => postMessage({ type: 'traced', at: Date.now(), ...entry });
  const names = new WeakMap();

  const files = FileSystemFileHandle.prototype;
  const { createSyncAccessHandle } = files;
  files.createSyncAccessHandle = async function (...args) {
    const handle = await createSyncAccessHandle.apply(this, args);
    names.set(handle, this.name);
    return handle;
  };

  const handles = FileSystemSyncAccessHandle.prototype;
  for (const name of ['write', 'flush', 'read', 'truncate']) {
    const original = handles[name];
    handles[name] = function (...args) {
      const answer = original.apply(this, args);
      tell({ did: name, file: names.get(this) ?? '', count: typeof answer === 'number' ? answer : 0 });
      return answer;
    };
  }

  const { fetch } = globalThis;
  globalThis.fetch = (url, init = {}) => {
    const body = typeof init.body === 'string' ? init.body : '';
    tell({ did: 'fetch', method: init.method ?? 'GET', url: String(url), body, count: init.body?.size ?? body.length });
    return fetch(url, init);
  };
}
