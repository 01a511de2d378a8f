/** Runs before the worker's own code: a disk that a test fills and empties, since no browser lets one be filled. */
{
  const channel = new BroadcastChannel('disk');
  let full = false;
  channel.onmessage = ({ data }) => {
    full = data.full;
    channel.postMessage({ isFull: full });
  };
  const handles = FileSystemSyncAccessHandle.prototype;
  const { write } = handles;
  handles.write = function (...what) {
    if (full) throw new DOMException('filled by the test', 'QuotaExceededError');
    return write.apply(this, what);
  };
}
