/**
 * An origin private file system in memory, with the two properties that matter: sync handles are exclusive, and a crash
 * keeps only what was flushed plus any prefix of what was not.
 */
class MemoryFile {
  bytes = new Uint8Array(0);
  flushed = new Uint8Array(0);
  held = false;
}

export class MemoryDirectory {
  readonly kind = 'directory';
  readonly children = new Map<string, MemoryDirectory | MemoryFile>();

  constructor(
    readonly name: string,
    readonly disk: MemoryDisk,
  ) {}

  async getDirectoryHandle(name: string, options?: { create?: boolean }): Promise<MemoryDirectory> {
    const found = this.children.get(name) ?? (options?.create ? new MemoryDirectory(name, this.disk) : undefined);
    if (!(found instanceof MemoryDirectory)) throw new DOMException(name, 'NotFoundError');
    this.children.set(name, found);
    return found;
  }

  async getFileHandle(name: string, options?: { create?: boolean }) {
    const file = this.children.get(name) ?? (options?.create ? new MemoryFile() : undefined);
    if (!(file instanceof MemoryFile)) throw new DOMException(name, 'NotFoundError');
    this.children.set(name, file);
    const { disk } = this;
    return {
      kind: 'file' as const,
      name,
      getFile: async () => new File([file.bytes], name),
      createSyncAccessHandle: async () => openSync(file, disk),
    };
  }

  async removeEntry(name: string): Promise<void> {
    this.disk.step();
    const child = this.children.get(name);
    if (!this.children.delete(name)) throw new DOMException(name, 'NotFoundError');
    if (child instanceof MemoryFile) this.disk.free += child.bytes.length;
  }

  async *entries() {
    for (const [name, child] of [...this.children]) {
      yield [name, child instanceof MemoryDirectory ? child : await this.getFileHandle(name)] as const;
    }
  }
}

function openSync(file: MemoryFile, disk: MemoryDisk) {
  if (file.held) throw new DOMException('held', 'NoModificationAllowedError');
  file.held = true;
  return {
    getSize: () => file.bytes.length,
    read(into: Uint8Array, { at }: { at: number }) {
      const part = file.bytes.subarray(at, at + into.length);
      into.set(part);
      return part.length;
    },
    write(bytes: Uint8Array, { at }: { at: number }) {
      disk.step();
      const grows = Math.max(0, at + bytes.length - file.bytes.length);
      if (grows > disk.free) throw new DOMException('full', 'QuotaExceededError');
      disk.free -= grows;
      const next = new Uint8Array(Math.max(file.bytes.length, at + bytes.length));
      next.set(file.bytes);
      next.set(bytes, at);
      file.bytes = next;
      return bytes.length;
    },
    truncate(size: number) {
      disk.step();
      disk.free += Math.max(0, file.bytes.length - size);
      file.bytes = file.bytes.slice(0, size);
    },
    flush() {
      disk.step();
      file.flushed = file.bytes.slice();
    },
    close() {
      file.held = false;
    },
  };
}

export class Crash extends Error {}

export class MemoryDisk {
  readonly root = new MemoryDirectory('', this);
  free = Number.POSITIVE_INFINITY;
  /** Writes, truncations, flushes and removals until the machine dies. */
  stepsLeft = Number.POSITIVE_INFINITY;

  /** What the browser hands to the spool. */
  get directory(): FileSystemDirectoryHandle {
    return this.root as unknown as FileSystemDirectoryHandle;
  }

  step(): void {
    this.stepsLeft -= 1;
    if (this.stepsLeft < 0) throw new Crash('the machine died');
  }

  /** After a crash: handles are free; of what was not flushed, a prefix of any length may have reached the disk. */
  reboot(random: () => number = Math.random): void {
    this.stepsLeft = Number.POSITIVE_INFINITY;
    const settle = (directory: MemoryDirectory): void => {
      for (const child of directory.children.values()) {
        if (child instanceof MemoryDirectory) settle(child);
        else settleFile(child, random);
      }
    };
    settle(this.root);
  }
}

function settleFile(file: MemoryFile, random: () => number): void {
  file.held = false;
  const extra = Math.max(0, file.bytes.length - file.flushed.length);
  file.bytes = file.bytes.slice(
    0,
    Math.min(file.flushed.length, file.bytes.length) + Math.floor(random() * (extra + 1)),
  );
  file.flushed = file.bytes.slice();
}
