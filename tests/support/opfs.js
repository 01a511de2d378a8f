/** Every file of this origin's private file system, as [path, size], in order of path. */
(async () => {
  // What the page deletes while it is walked over is not there any more.
  const gone = (error) => {
    if (error.name !== 'NotFoundError') throw error;
  };
  const walk = async (directory, path) => {
    const found = [];
    for await (const [name, handle] of directory.entries()) {
      const here = `${path}/${name}`;
      if (handle.kind === 'directory') found.push(...((await walk(handle, here).catch(gone)) ?? []));
      else found.push(...((await handle.getFile().then((file) => [[here, file.size]], gone)) ?? []));
    }
    return found;
  };
  return (await walk(await navigator.storage.getDirectory(), '')).sort();
})()
