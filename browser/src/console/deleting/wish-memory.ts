/** A confirmed deletion as it is remembered until the server has agreed. */
export interface RememberedWish {
  id: string;
  title: string;
  /** Epoch ms at which its time for being taken back is over. */
  dueAt: number;
}

/** Where wishes outlive the page. */
export interface WishMemory {
  of(owner: string): readonly RememberedWish[];
  add(owner: string, wish: RememberedWish): void;
  remove(owner: string, id: string): void;
}

const KEY = 'safereel.deletions';

type Stored = RememberedWish & { owner: string };

/** In the browser's storage for this origin; one that refuses remembers nothing, and the page in view acts all the same. */
export class BrowserWishMemory implements WishMemory {
  readonly #storage: Pick<Storage, 'getItem' | 'setItem'>;

  constructor(storage: Pick<Storage, 'getItem' | 'setItem'>) {
    this.#storage = storage;
  }

  of(owner: string): readonly RememberedWish[] {
    return this.#all()
      .filter((wish) => wish.owner === owner)
      .map(({ id, title, dueAt }) => ({ id, title, dueAt }));
  }

  add(owner: string, { id, title, dueAt }: RememberedWish): void {
    this.#write([...this.#others(owner, id), { owner, id, title, dueAt }]);
  }

  remove(owner: string, id: string): void {
    this.#write(this.#others(owner, id));
  }

  #others(owner: string, id: string): Stored[] {
    return this.#all().filter((wish) => wish.owner !== owner || wish.id !== id);
  }

  #all(): Stored[] {
    try {
      const stored: unknown = JSON.parse(this.#storage.getItem(KEY) ?? '[]');
      return Array.isArray(stored) ? stored.filter(isStored) : [];
    } catch {
      return []; // Not ours, or no storage is granted: then nothing is remembered.
    }
  }

  #write(wishes: readonly Stored[]): void {
    try {
      this.#storage.setItem(KEY, JSON.stringify(wishes));
    } catch {
      // No storage is granted, or it is full: the page in view still sends what was wished.
    }
  }
}

function isStored(value: unknown): value is Stored {
  if (typeof value !== 'object' || value === null) return false;
  const { owner, id, title, dueAt } = value as Record<string, unknown>;
  return typeof owner === 'string' && typeof id === 'string' && typeof title === 'string' && typeof dueAt === 'number';
}
