/** Keeps the screen on while something is recorded, where the browser can; a nicety that nothing rests on. */
export class WakeLock {
  #wanted = false;
  #lock: WakeLockSentinel | null = null;

  constructor() {
    // Browsers let go of it whenever the page is hidden.
    document.addEventListener('visibilitychange', () => {
      if (this.#wanted && document.visibilityState === 'visible') void this.hold();
    });
  }

  async hold(): Promise<void> {
    this.#wanted = true;
    try {
      this.#lock = await navigator.wakeLock.request('screen');
    } catch {
      this.#lock = null; // Not there, or refused on low battery: the recording goes on all the same.
    }
    if (!this.#wanted) this.release();
  }

  release(): void {
    this.#wanted = false;
    void this.#lock?.release();
    this.#lock = null;
  }
}
