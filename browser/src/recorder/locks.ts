/** Web Locks and the channel between tabs: who writes, who uploads, and how the others hear of it. */
import type { BetweenTabs } from './spool-protocol';

/** Names of the locks of one owner. */
export const lockNames = {
  identity: (owner: string) => `safereel:${owner}:identity`,
  uploader: (owner: string) => `safereel:${owner}:uploader`,
  recording: (owner: string, id: string) => `safereel:${owner}:recording:${id}`,
  /** Whoever removes kept copies, or takes one back, on this device: of any owner, since they take each other's room. */
  kept: 'safereel:kept',
};

export interface HeldLock {
  release(): void;
  /** Resolves when the lock was let go or stolen. */
  readonly over: Promise<void>;
}

/**
 * Holds a Web Lock until `release`. With `ifAvailable`, null when somebody else has it.
 * @throws the signal's reason when aborted while waiting.
 */
export function holdLock(name: string, options: LockOptions): Promise<HeldLock | null> {
  return new Promise((resolve, reject) => {
    let release: () => void = () => undefined;
    let markOver: () => void = () => undefined;
    const held = new Promise<void>((done) => {
      release = done;
    });
    const over = new Promise<void>((done) => {
      markOver = done;
    });
    const onGranted = (lock: Lock | null) => {
      if (!lock) return resolve(null);
      resolve({ release, over });
      return held;
    };
    navigator.locks.request(name, options, onGranted).then(markOver, (error: unknown) => {
      markOver();
      reject(error); // Without effect once granted: then the lock was stolen, and `over` says so.
    });
  });
}

/** Runs `work` under a lock; waits for it. */
export async function underLock<T>(name: string, work: () => Promise<T>): Promise<T> {
  return (await navigator.locks.request(name, work)) as T;
}

/** The channel between the workers of one owner's tabs. */
export class TabChannel {
  readonly #channel: BroadcastChannel;

  constructor(owner: string, onMessage: (message: BetweenTabs) => void) {
    this.#channel = new BroadcastChannel(`safereel:${owner}`);
    this.#channel.onmessage = (event: MessageEvent<BetweenTabs>) => onMessage(event.data);
  }

  send(message: BetweenTabs): void {
    this.#channel.postMessage(message);
  }

  close(): void {
    this.#channel.close();
  }
}
