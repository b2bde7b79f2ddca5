// <div class="map" data-map="/map/places.json">: drawn when it comes near the window.
import { announce, say } from "../words.js";
import { each } from "./each.js";
import { fieldOf, fill } from "./here.js";

const known = new WeakSet();
const near = new IntersectionObserver(
  (entries) => entries.filter((entry) => entry.isIntersecting).forEach(({ target }) => draw(target)),
  { rootMargin: "200px" },
);

export function install(root) {
  each(root, "[data-map], [data-map-from]", (element) => {
    if (known.has(element)) return;
    known.add(element);
    element.hidden = false;
    near.observe(element);
  });
}

async function draw(element) {
  near.unobserve(element);
  try {
    const map = await import("../map.js");
    await map.draw(element, { say, announce, fieldOf, fill });
  } catch {
    const text = document.createElement("p");
    text.className = "map-said";
    text.setAttribute("role", "status");
    text.textContent = say("The map could not be loaded. Everything on it also stands in the list.");
    element.append(text);
  }
}
