/**
 * Space set aside on this device, to be given up when the browser takes no more: from then on the person is told, and what is being
 * recorded still goes to disk. What a browser says of its quota is no such warning: Chromium names the same 10 GiB whatever is left.
 */
import { isStorageFull, type Trouble, troubleOf } from './failure';
import { isHeld, openHandle } from './opfs';

const RESERVE = 'reserve';

/** Half a minute of a usual camera (2.5 Mbit/s): time to read a warning and to save to a file. */
export const RESERVE_BYTES = 8 * 1024 * 1024;

/** Written in pieces, so that no slice waits for all of it. */
const PIECE_BYTES = 512 * 1024;

/** Sets it aside, or what is missing of it. Answers false where there is not that much room: then none of it is kept. */
export async function setAside(root: FileSystemDirectoryHandle, bytes: number = RESERVE_BYTES): Promise<boolean> {
  try {
    for (;;) {
      const handle = await openHandle(root, RESERVE, true);
      try {
        const size = handle.getSize();
        if (size >= bytes) return true;
        // Real bytes: a file that is only made longer takes no space on many disks.
        const piece = new Uint8Array(Math.min(PIECE_BYTES, bytes - size)).fill(1);
        const written = handle.write(piece, { at: size });
        if (written !== piece.length) throw new Error('no space: the reserve was cut short');
        handle.flush();
      } finally {
        handle.close();
      }
    }
  } catch (error) {
    if (!isStorageFull(error)) throw error;
    await giveUp(root);
    return false;
  }
}

/** Frees it. Answers whether that made any room. */
export async function giveUp(root: FileSystemDirectoryHandle): Promise<boolean> {
  const handle = await openHandle(root, RESERVE, true);
  try {
    const size = handle.getSize();
    handle.truncate(0);
    handle.flush();
    return size > 0;
  } finally {
    handle.close();
  }
}

/** The reserve of this device as one worker sees it. */
export class Reserve {
  readonly #root: FileSystemDirectoryHandle;
  readonly #storage: { setReserved(reserved: boolean): void };
  readonly #problem: (problem: Trouble) => void;
  readonly #makeRoom: () => Promise<boolean>;
  #gone = false;

  /** `makeRoom` frees what may go before this, and answers whether that may have made room. */
  constructor(
    root: FileSystemDirectoryHandle,
    storage: { setReserved(reserved: boolean): void },
    problem: (problem: Trouble) => void,
    makeRoom: () => Promise<boolean> = async () => false,
  ) {
    this.#root = root;
    this.#storage = storage;
    this.#problem = problem;
    this.#makeRoom = makeRoom;
  }

  /** It was given up, or there was no room for it. */
  get isGone(): boolean {
    return this.#gone;
  }

  #set(isThere: boolean): void {
    this.#gone = !isThere;
    this.#storage.setReserved(isThere);
  }

  /** Before something is recorded: tells at once where there is not even room for this. */
  async setAside(): Promise<void> {
    try {
      const isThere = (await setAside(this.#root)) || ((await this.#makeRoom()) && (await setAside(this.#root)));
      this.#set(isThere);
    } catch (error) {
      // Another tab may hold it at this moment: then it is there.
      if (!isHeld(error)) this.#problem(troubleOf('write_failed', error));
    }
  }

  /** The disk is full, and nothing goes before this. Answers whether there may be room now. */
  async giveUp(): Promise<boolean> {
    try {
      const freed = await giveUp(this.#root);
      if (freed) this.#set(false);
      return freed;
    } catch (error) {
      return isHeld(error); // Another tab gives it up right now.
    }
  }
}
