/** Runs before the worker's own code: a disk that a test fills and empties, since no browser lets one be filled. */
(() => {
  let full = false;
  new BroadcastChannel('disk').onmessage = ({ data }) => {
    full = data.full;
  };
  const { write } = FileSystemSyncAccessHandle.prototype;
  FileSystemSyncAccessHandle.prototype.write = function (...what) {
    if (full) throw new DOMException('filled by the test', 'QuotaExceededError');
    return write.apply(this, what);
  };
})();
