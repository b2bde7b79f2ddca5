// Forms that are sent once, that ask before, that are sent by a choice.
import { say } from "../words.js";
import { each, round } from "./each.js";

const KEYS_MS = 900; // a choice by arrow keys is made when the keys rest

const sent = new WeakSet();
const agreed = new WeakSet();
let byKeys = false;

export function install(root) {
  each(root, "[data-noscript]", (button) => { button.hidden = true; });
}

document.addEventListener(
  "submit",
  (event) => {
    const form = event.target;
    if (form.dataset.confirm && !agreed.delete(form)) {
      hold(event);
      ask(form, event.submitter);
    } else if (form.hasAttribute("data-once")) {
      if (sent.has(form)) hold(event);
      else once(form);
    }
  },
  true, // before htmx, which would send it
);

function hold(event) {
  event.preventDefault();
  event.stopImmediatePropagation();
}

function once(form) {
  sent.add(form);
  // Not at once: a disabled button would leave its name and value out of what is sent.
  setTimeout(() => buttons(form).forEach((button) => { button.disabled = true; }));
}

function free(form) {
  sent.delete(form);
  buttons(form).forEach((button) => { button.disabled = false; });
}

const buttons = (form) => [...form.elements].filter((each) => each.type === "submit");

// Who comes back to a page by "Back", or whose form was sent without leaving, may press again.
addEventListener("pageshow", (event) => {
  if (event.persisted) document.querySelectorAll("form[data-once]").forEach(free);
});
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.target instanceof HTMLFormElement) free(event.target);
});

function ask(form, submitter) {
  const dialog = document.createElement("dialog");
  const question = document.createElement("p");
  question.id = "question";
  question.textContent = form.dataset.confirm;
  dialog.setAttribute("aria-labelledby", question.id);
  const acts = document.createElement("div");
  acts.className = "acts";
  const yes = choice((submitter ?? buttons(form)[0])?.textContent.trim() || say("Yes"), "");
  const no = choice(say("No, go back"), "plain");
  acts.append(yes, no);
  dialog.append(question, acts);
  document.body.append(dialog);
  yes.addEventListener("click", () => dialog.close("yes"));
  no.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (dialog.returnValue !== "yes") return submitter?.focus();
    agreed.add(form);
    form.requestSubmit(submitter?.form === form ? submitter : null);
  });
  dialog.showModal();
  no.focus(); // Enter must not do what is asked about
}

function choice(text, kind) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = kind;
  button.textContent = text;
  return button;
}

let waiting;
document.addEventListener("keydown", (event) => {
  if (round(event, "select[data-autosubmit]")) byKeys = event.key !== "Enter";
});
document.addEventListener("pointerdown", () => { byKeys = false; });
document.addEventListener("change", (event) => {
  const field = round(event, "[data-autosubmit]");
  if (!field?.form) return;
  clearTimeout(waiting);
  waiting = setTimeout(() => field.form.requestSubmit(), byKeys ? KEYS_MS : 0);
});
