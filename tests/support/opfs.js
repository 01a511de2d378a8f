/** Every file of this origin's private file system, as [path, size, whether it is a spare copy], in order of path. */
(async () => {
  // What the page deletes while it is walked over is not there any more.
  const gone = (error) => {
    if (error.name !== 'NotFoundError') throw error;
  };
  /** What notes there are of releases. A file that the page writes to meanwhile cannot be read any more: the next one can. */
  const notes = async (directory) => {
    for (let tries = 50; ; tries--) {
      const file = await directory.getFileHandle('releases').then((handle) => handle.getFile()).catch(gone);
      try {
        return (await file?.text()) ?? '';
      } catch (error) {
        if (error.name === 'NotFoundError') return '';
        if (error.name !== 'NotReadableError' || tries === 0) throw error;
      }
    }
  };
  /** The numbers of chunks that were released and may stay, by the notes of a recording: lines of a checksum and JSON. */
  const spares = async (directory) => {
    const kept = new Set();
    for (const line of (await notes(directory)).split('\n').filter(Boolean)) {
      const { t, seq, kept: since } = JSON.parse(line.slice(9));
      if (t === 'release' && since !== undefined) kept.add(seq);
      else if (t === 'release' || t === 'hold') kept.delete(seq);
    }
    return kept;
  };
  const walk = async (directory, path) => {
    const found = [];
    const kept = await spares(directory);
    for await (const [name, handle] of directory.entries()) {
      const here = `${path}/${name}`;
      const spare = /^\d{8}-/.test(name) && kept.has(Number.parseInt(name, 10));
      if (handle.kind === 'directory') found.push(...((await walk(handle, here).catch(gone)) ?? []));
      else found.push(...((await handle.getFile().then((file) => [[here, file.size, spare]], gone)) ?? []));
    }
    return found;
  };
  return (await walk(await navigator.storage.getDirectory(), '')).sort();
})()
