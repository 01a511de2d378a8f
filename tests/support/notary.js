/**
 * Runs before a page's own scripts and writes down, outside of the browser, when MediaRecorder began, each slice it gave, and what the
 * recorder's worker told. Nothing goes on in the page before the line is written: the log cannot be behind what the recorder
 * knew when it is killed. It waits in the page itself, some milliseconds a slice, not for whoever drives the browser.
 */
((origin) => {
  const say = (type, facts, body) => {
    const call = new XMLHttpRequest();
    call.open('POST', `${origin}/${type}?${new URLSearchParams(facts)}`, false);
    call.send(body);
  };

  globalThis.MediaRecorder = class extends globalThis.MediaRecorder {
    #run = crypto.randomUUID();

    constructor(...args) {
      super(...args);
      // Added first, so called before any listener of the page.
      this.addEventListener('dataavailable', ({ data }) => {
        // A type that needs no preflight.
        say('slice', { run: this.#run, at: Date.now() }, data.slice(0, data.size, 'text/plain'));
      });
    }

    start(...args) {
      say('started', { run: this.#run, at: Date.now() });
      super.start(...args);
    }
  };

  const told = new Set(['flushed', 'recovered', 'completed', 'problem']);
  globalThis.Worker = class extends globalThis.Worker {
    constructor(...args) {
      super(...args);
      this.addEventListener('message', ({ data }) => {
        if (told.has(data?.type)) say('told', {}, JSON.stringify(data));
      });
    }
  };
})
