/** Web Locks in memory, as far as the recorder uses them: exclusive, first come first served, `ifAvailable`, `signal`. */
export class MemoryLocks {
  readonly #tails = new Map<string, Promise<unknown>>();
  readonly #held = new Set<string>();

  async request(name: string, ...rest: unknown[]): Promise<unknown> {
    const work = rest.at(-1) as (lock: object | null) => unknown;
    const options = rest.length > 1 ? (rest[0] as LockOptions) : {};
    if (options.ifAvailable && this.#held.has(name)) return work(null);
    const before = this.#tails.get(name) ?? Promise.resolve();
    if (!this.#held.has(name)) this.#held.add(name);
    const done = before.then(() => {
      options.signal?.throwIfAborted();
      this.#held.add(name);
      return work({ name });
    });
    const tail = done
      .catch(() => undefined)
      .then(() => {
        if (this.#tails.get(name) === tail) this.#held.delete(name);
      });
    this.#tails.set(name, tail);
    return done;
  }
}
