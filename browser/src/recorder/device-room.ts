/** Room on this device while something is recorded: what goes, and in which order, before anybody is told that it runs out. */
import { asTrouble, type Trouble } from './failure';
import { freeAllKept } from './kept-files';
import { Reserve } from './reserve';
import type { Storage } from './storage';

/** Where freeing kept copies did not help it is not tried in each update. */
const FREE_AGAIN_MS = 10_000;

/** So often it is tried to set space aside where there was none: each try fills a full disk for a moment. */
const ASIDE_AGAIN_MS = 10_000;

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
  #asideAt = Number.NEGATIVE_INFINITY;
  /** Something became free, or may have. */
  #hopes = false;

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

  /** There may be room again: `isIdle` (nothing is recorded) it is looked now and then, else only after a sign of it. */
  lookAgain(now: number, isIdle: boolean): void {
    if (!this.#reserve.isGone || !(isIdle || this.#hopes) || now - this.#asideAt < ASIDE_AGAIN_MS) return;
    this.#asideAt = now;
    this.#hopes = false;
    void this.#reserve.setAside().then(() => this.#host.standing());
  }

  /** Chunks went, or somebody is looking: there may be room where there was none. */
  hope(): void {
    this.#hopes = true;
    this.#host.standing();
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
