// Make a part of the page equal to a newer one and touch only what differs: the focus, what was
// typed, open details and pictures stay.

const LEFT = new Set(["open"]); // of <details>: the reader's own doing

/** Turn `old` into `fresh`; returns the element that stands there then. */
export function morph(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName || old.id !== fresh.id) {
    old.replaceWith(fresh);
    return fresh;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return old;
  }
  if (old.hasAttribute("data-kept")) return old; // script drew it: a map, a viewer
  if (old.dataset.said === fresh.textContent && old.dateTime === fresh.dateTime) return old;
  attributes(old, fresh);
  children(old, fresh);
  return old;
}

function attributes(old, fresh) {
  const left = old.nodeName === "DETAILS" ? LEFT : new Set();
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !left.has(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && !left.has(name)) old.setAttribute(name, value);
  }
}

function children(old, fresh) {
  let place = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    // An element with an id is looked for among those that follow, so that a new one before it
    // does not make it another.
    const found = wanted.id && place?.id !== wanted.id && later(place, wanted.id);
    if (found) {
      old.insertBefore(found, place);
      morph(found, wanted);
    } else if (place && !(place.id && place.id !== wanted.id && fresh.querySelector(`:scope > #${CSS.escape(place.id)}`))) {
      place = morph(place, wanted).nextSibling;
    } else {
      old.insertBefore(wanted, place);
    }
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

function later(node, id) {
  for (let each = node; each; each = each.nextSibling) if (each.id === id) return each;
  return null;
}
