/** Room on this device while something is recorded: what goes, and in which order, before anybody is told that it runs out. */
import { asTrouble, type Trouble } from './failure';
import { freeAllKept } from './kept-files';
import { Reserve } from './reserve';
import type { Storage } from './storage';

/** Where freeing kept copies did not help it is not tried in each update. */
const FREE_AGAIN_MS = 10_000;

/** The worker around it. */
export interface DeviceRoomHost {
  /** How many spare copies this worker knows of. */
  keptChunks(): number;
  /** All spare copies are gone. */
  keptFreed(): void;
  problem(problem: Trouble): void;
  /** Something that `Standing` shows changed. */
  standing(): void;
}

export class DeviceRoom {
  readonly #root: FileSystemDirectoryHandle;
  readonly #storage: Storage;
  readonly #host: DeviceRoomHost;
  readonly #reserve: Reserve;
  #freedAt = Number.NEGATIVE_INFINITY;
  #freeing = false;

  /** `root` is that of all spools. */
  constructor(root: FileSystemDirectoryHandle, storage: Storage, host: DeviceRoomHost) {
    this.#root = root;
    this.#storage = storage;
    this.#host = host;
    const makeRoom = () => this.freeKept();
    this.#reserve = new Reserve(root, storage, (problem) => host.problem(problem), makeRoom);
  }

  /** Before something is recorded: space is set aside for the moment when the disk is full. */
  setAside(): Promise<void> {
    return this.#reserve.setAside();
  }

  /** The disk is full: frees what can be freed, and answers whether that may have made room. */
  async makeRoom(): Promise<boolean> {
    return (await this.freeKept()) || (await this.#reserve.giveUp());
  }

  /** Room is needed: spare copies go, all at once, of whoever. Answers whether that made any. */
  async freeKept(): Promise<boolean> {
    try {
      if ((await freeAllKept(this.#root)) === 0) return false;
    } catch (error) {
      this.#host.problem(asTrouble(error, 'releases_failed'));
      return false;
    }
    this.#host.keptFreed();
    await this.#storage.refresh();
    return true;
  }

  /** Where room is low, spare copies go before anybody is told. */
  watch(now: number): void {
    if (this.#freeing) return;
    const mayHelp = this.#host.keptChunks() > 0 && now - this.#freedAt > FREE_AGAIN_MS;
    if (mayHelp && this.#storage.room(now).low) {
      this.#freedAt = now;
      this.#freeing = true;
      void this.freeKept().then(() => {
        this.#freeing = false;
        this.#host.standing();
      });
    } else this.#storage.warn(now);
  }
}
