// <section id data-live="/…/events">: is kept as the hub has it. An event `changed` says that it
// is old; then the page itself is asked for again. Where no stream comes, by asking now and then.
import { each } from "./each.js";
import { morph } from "./morph.js";

const POLL_S = 5;
const HIDDEN_S = 60;
const FETCH_MS = 20000;

let changed = () => {};
const followed = new WeakSet();

/** `act` is called with every section that was made new. */
export function whenChanged(act) {
  changed = act;
}

export function install(root) {
  each(root, "[data-live][id]", (section) => {
    if (!followed.has(section)) new Follower(section).start();
  });
}

class Follower {
  constructor(section) {
    followed.add(section);
    this.section = section;
    this.ended = this.asking = this.again = false;
    this.seen = () => (document.hidden ? this.rest() : this.wake());
    this.left = () => this.rest();
    this.back = (event) => event.persisted && this.wake();
  }

  start() {
    document.addEventListener("visibilitychange", this.seen);
    addEventListener("pagehide", this.left);
    addEventListener("pageshow", this.back);
    this.listen();
  }

  stop() {
    this.ended = true;
    this.rest();
    clearTimeout(this.timer);
    document.removeEventListener("visibilitychange", this.seen);
    removeEventListener("pagehide", this.left);
    removeEventListener("pageshow", this.back);
    followed.delete(this.section);
  }

  // A stream takes a thread of the hub: nobody holds one for a page that nobody sees.
  rest() {
    this.stream?.close();
    this.stream = null;
    this.later();
  }

  wake() {
    if (this.ended) return;
    clearTimeout(this.timer);
    this.ask();
    this.listen();
  }

  listen() {
    if (this.ended || this.stream || document.hidden) return;
    const stream = new EventSource(this.section.dataset.live);
    this.stream = stream;
    stream.addEventListener("changed", () => this.ask());
    stream.addEventListener("open", () => clearTimeout(this.timer));
    stream.addEventListener("error", () => {
      if (stream.readyState === EventSource.CLOSED && this.stream === stream) this.stream = null;
      this.later();
    });
  }

  later() {
    clearTimeout(this.timer);
    if (this.ended) return;
    const given = Number(this.section.dataset.livePoll) || POLL_S;
    this.timer = setTimeout(() => this.ask(), 1000 * (document.hidden ? HIDDEN_S : given));
  }

  async ask() {
    if (this.asking) {
      this.again = true;
      return;
    }
    this.asking = true;
    clearTimeout(this.timer);
    try {
      await this.renew();
    } catch {
      // The hub is away: asked again later.
    }
    this.asking = false;
    if (this.ended) return;
    if (this.again) {
      this.again = false;
      this.ask();
    } else if (this.stream?.readyState !== EventSource.OPEN) {
      this.later();
    }
  }

  async renew() {
    const answer = await fetch(location.href, {
      headers: { Accept: "text/html" },
      signal: AbortSignal.timeout(FETCH_MS),
    });
    // Signed out meanwhile, or no longer to be seen: what stands here stays as it is.
    if (answer.redirected || (answer.status >= 400 && answer.status < 500)) return this.stop();
    if (!answer.ok) return undefined;
    const text = await answer.text();
    const page = new DOMParser().parseFromString(text, "text/html");
    const fresh = page.getElementById(this.section.id);
    if (!fresh || !this.section.isConnected) return this.stop();
    if (document.title !== page.title) document.title = page.title;
    const html = fresh.outerHTML;
    if (html === this.last) return undefined;
    this.last = html;
    this.section = morph(this.section, document.adoptNode(fresh));
    if (!this.section.dataset.live) this.stop();
    return changed(this.section);
  }
}
