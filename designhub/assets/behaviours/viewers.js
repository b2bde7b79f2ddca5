// <div data-viewer="/parts/1.glb"><img></div>: a press on [data-viewer-open] puts the part in place
// of its picture, to be turned; a button with data-viewer and data-viewer-for shows another part,
// a choice with data-down and data-down-for lays it on another side, its picture and caption too.
import { announce, say } from "../words.js";
import { each, round } from "./each.js";

const open = new WeakMap();

export function install(root) {
  each(root, "[data-viewer-open]", (element) => {
    element.hidden = false;
    element.querySelectorAll("[hidden]").forEach((inside) => { inside.hidden = false; });
  });
  each(root, "[data-viewer-for]", (button) => { button.hidden = false; });
}

document.addEventListener("click", (event) => {
  const other = round(event, "[data-viewer-for]");
  if (other) {
    const host = document.querySelector(other.dataset.viewerFor);
    if (host) show(host, other.dataset.viewer);
    return;
  }
  const opener = round(event, "[data-viewer-open]");
  if (opener && round(event, "button, a")) {
    event.preventDefault();
    const host = hostOf(opener);
    if (host) show(host, host.dataset.viewer, opener);
  }
});

document.addEventListener("change", (event) => {
  const way = round(event, "[data-down-for]");
  const host = way && document.querySelector(way.dataset.downFor);
  if (!host) return;
  host.dataset.down = way.dataset.down;
  open.get(host)?.then((viewer) => viewer.lie());
  const [label, shown] = [way.closest("label"), host.querySelector("img")];
  const drawn = label.querySelector("img");
  Object.assign(shown, { src: drawn.src, alt: drawn.alt, className: drawn.className });
  const figures = label.querySelector("span").textContent;
  host.nextElementSibling.textContent = `${way.nextSibling.textContent.trim()}: ${figures}`;
});

/** The viewer that a button opens: the one it names, the one round it, or the nearest beside it. */
function hostOf(opener) {
  if (opener.dataset.viewerOpen) return document.querySelector(opener.dataset.viewerOpen);
  for (let near = opener; near; near = near.parentElement) {
    const found = near.matches("[data-viewer]") ? near : near.querySelector("[data-viewer]");
    if (found) return found;
  }
  return null;
}

async function show(host, address, opener) {
  const known = open.get(host);
  if (known) return (await known).load(address);
  const opening = import("../viewer.js").then((viewer) =>
    viewer.open(host, address, { say, announce, closed: () => shut(host, opener) }),
  );
  open.set(host, opening);
  if (opener) opener.hidden = true;
  return opening.catch(() => {
    shut(host, opener);
    announce(say("The 3D view could not be loaded. Try again later."));
  });
}

function shut(host, opener) {
  open.delete(host);
  if (!opener) return;
  opener.hidden = false;
  (opener.matches("button, a") ? opener : opener.querySelector("button, a"))?.focus();
}
