// <time datetime>: a moment in UTC becomes one in the reader's own zone and way of writing.

const locale = document.documentElement.lang || undefined;
const written = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
const exact = new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "long" });

export function install(root) {
  for (const element of root.querySelectorAll("time[datetime]:not([data-said])")) {
    const at = new Date(element.dateTime);
    if (Number.isNaN(at.getTime()) || !element.dateTime.includes("T")) continue;
    element.dataset.said = element.textContent;
    element.textContent = written.format(at);
    element.title = exact.format(at);
  }
}
