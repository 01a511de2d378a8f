/** Every file of this origin's private file system, as [path, size], in order of path. */
(async () => {
  const walk = async (directory, path) => {
    const found = [];
    for await (const [name, handle] of directory.entries()) {
      const here = `${path}/${name}`;
      if (handle.kind === 'directory') found.push(...(await walk(handle, here)));
      else found.push([here, (await handle.getFile()).size]);
    }
    return found;
  };
  return (await walk(await navigator.storage.getDirectory(), '')).sort();
})()
