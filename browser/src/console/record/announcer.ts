/** The same kind of news is read out no more often than this. */
export const QUIET_MS = 60_000;
/** The first news after an occasion is read out once it has rested this long: what was said then may be out of date already. */
export const REST_MS = 8_000;

/**
 * Says a changing sentence to those who listen: at once on a new occasion, else seldom. What was held back is said in the
 * end, so the last that was heard is never left untrue.
 */
export class Announcer {
  readonly #say: (sentence: string) => void;
  #occasion: string | null = null;
  #said = '';
  #saidAt = 0;
  #caughtUp = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(say: (sentence: string) => void) {
    this.#say = say;
  }

  hear(sentence: string, occasion: string): void {
    clearTimeout(this.#timer);
    if (occasion !== this.#occasion) {
      this.#occasion = occasion;
      this.#caughtUp = false;
      this.#speak(sentence);
    } else if (sentence !== this.#said) {
      const quiet = Math.max(0, this.#saidAt + QUIET_MS - Date.now());
      this.#timer = setTimeout(
        () => {
          this.#caughtUp = true;
          this.#speak(sentence);
        },
        this.#caughtUp ? quiet : Math.min(quiet, REST_MS),
      );
    }
  }

  /** Says nothing more of what was held back. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  #speak(sentence: string): void {
    this.#said = sentence;
    this.#saidAt = Date.now();
    this.#say(sentence);
  }
}
