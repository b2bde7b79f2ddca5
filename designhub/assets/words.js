// What script says to people. Messages are English; in another language the hub gives them once.
// `/static/words/<code>.json` has each sentence that stands in designhub/web/script_words.py.

let known = {};
const code = document.documentElement.lang;

export const ready =
  code && code !== "en"
    ? fetch(`/static/words/${code}.json`)
        .then((answer) => (answer.ok ? answer.json() : {}))
        .then((words) => { known = words; })
        .catch(() => {}) // English is better than nothing
    : Promise.resolve();

/** A message in the language of the page, its %(name)s filled in. */
export function say(message, values = {}) {
  return (known[message] ?? message).replace(/%(?:\((\w+)\)s|%)/g, (found, name) =>
    found === "%%" ? "%" : String(values[name]),
  );
}

let status;

/** Let a screen reader say it, whatever has the focus. */
export function announce(text) {
  if (!status) {
    status = document.createElement("p");
    status.className = "unseen";
    status.setAttribute("role", "status");
    document.body.append(status);
  }
  status.textContent = "";
  setTimeout(() => { status.textContent = text; }, 50); // a change, even of the same words
}
