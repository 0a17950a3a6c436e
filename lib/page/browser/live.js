/** The stream of events, kept up: it comes back when it breaks, and rests while nobody looks. */

const RETRY_MS = 3_000;

/**
 * @typedef {{
 *   onAll: (document: any) => void,
 *   onSecond: (snapshot: any) => void,
 *   onState: (state: "connecting" | "live" | "lost" | "paused") => void,
 * }} Listener
 */

/** Listens to the proxy. */
export class Live {
  /** @type {EventSource | null} */
  #source = null;
  #isPaused = false;
  #timer = 0;
  #listener;

  /** @param {Listener} listener */
  constructor(listener) {
    this.#listener = listener;
    // A page in the background takes the place of one that is looked at.
    document.addEventListener("visibilitychange", () => this.#adapt());
    this.#adapt();
  }

  /** @param {boolean} isPaused */
  set isPaused(isPaused) {
    this.#isPaused = isPaused;
    this.#adapt();
  }

  #adapt() {
    clearTimeout(this.#timer);
    if (document.hidden || this.#isPaused) {
      this.#source?.close();
      this.#source = null;
      if (this.#isPaused) this.#listener.onState("paused");
    } else if (this.#source === null) this.#open();
  }

  #open() {
    const source = new EventSource("stats/events");
    this.#source = source;
    this.#listener.onState("connecting");
    source.addEventListener("all", (event) => {
      this.#listener.onState("live");
      this.#listener.onAll(JSON.parse(event.data));
    });
    source.addEventListener("second", (event) => this.#listener.onSecond(JSON.parse(event.data)));
    source.addEventListener("error", () => {
      if (source !== this.#source) return;
      this.#listener.onState("lost");
      // It tries again by itself, but for answers that are no stream, such as 'too many pages are open'.
      if (source.readyState !== EventSource.CLOSED) return;
      this.#source = null;
      this.#timer = setTimeout(() => this.#adapt(), RETRY_MS);
    });
  }
}
