/**
 * Runs before a page's own scripts and writes down, outside of the browser, what MediaRecorder gave and what the
 * recorder's worker told. A slice is handed to the page only once it is written down: whatever the page may have
 * stored, sent or lost, the witness has it.
 */
(() => {
  const say = (entry) => globalThis.__witness(JSON.stringify(entry));

  const base64 = (blob) =>
    new Promise((resolve, reject) => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result.split(';base64,')[1]);
      reader.onerror = () => reject(reader.error);
      reader.readAsDataURL(blob);
    });

  class WitnessedRecorder extends globalThis.MediaRecorder {
    #run = crypto.randomUUID();
    #chain = Promise.resolve();

    set ondataavailable(handler) {
      this.addEventListener('dataavailable', (event) => {
        const at = Date.now();
        this.#then(async () => {
          const data = event.data.size > 0 ? await base64(event.data) : '';
          await say({ type: 'slice', run: this.#run, at, data });
          handler.call(this, event);
        });
      });
    }

    set onstop(handler) {
      this.addEventListener('stop', (event) => this.#then(() => handler.call(this, event)));
    }

    #then(work) {
      this.#chain = this.#chain.then(work);
    }
  }
  globalThis.MediaRecorder = WitnessedRecorder;

  const told = new Set(['flushed', 'chunk', 'recovered', 'completed', 'problem', 'traced']);
  globalThis.Worker = class extends globalThis.Worker {
    constructor(...args) {
      super(...args);
      this.addEventListener('message', ({ data }) => {
        if (told.has(data?.type)) void say(data);
      });
    }
  };
})();
