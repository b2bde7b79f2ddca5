// <button data-copy="text" hidden>: puts the text into the clipboard.
import { announce, say } from "../words.js";
import { each, round } from "./each.js";

const SAID_MS = 2000;

export function install(root) {
  each(root, "[data-copy]", (button) => { button.hidden = false; });
}

document.addEventListener("click", async (event) => {
  const button = round(event, "[data-copy]");
  if (!button || button.dataset.before) return;
  const done = await copied(button.dataset.copy);
  const text = done ? say("Copied") : say("Select the text and copy it");
  button.dataset.before = button.textContent;
  button.textContent = text;
  announce(text);
  setTimeout(() => {
    button.textContent = button.dataset.before;
    delete button.dataset.before;
  }, SAID_MS);
});

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return byHand(text); // a hub without TLS: the browser gives no clipboard
  }
}

function byHand(text) {
  const before = document.activeElement;
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "unseen";
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  before?.focus?.();
  return done;
}
