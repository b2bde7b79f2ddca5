/** Every element that matches, the root itself among them. */
export function each(root, selector, act) {
  if (root.matches?.(selector)) act(root);
  root.querySelectorAll(selector).forEach(act);
}

/** The nearest element round an event's target that matches, or null. */
export const round = (event, selector) =>
  event.target instanceof Element ? event.target.closest(selector) : null;
