// <time datetime>: a moment in UTC becomes one in the reader's own zone and way of writing.
import { each } from "./each.js";

const page = document.documentElement.lang;
// "en-GB" of the browser says more than "en" of the page, but not another language.
const locale = navigator.languages.find((code) => code.split("-")[0] === page) ?? page;
const written = new Intl.DateTimeFormat(locale || undefined, { dateStyle: "medium", timeStyle: "short" });
const exact = new Intl.DateTimeFormat(locale || undefined, { dateStyle: "full", timeStyle: "long" });

export function install(root) {
  each(root, "time[datetime]:not([data-said])", (element) => {
    const at = new Date(element.dateTime);
    if (!element.dateTime.includes("T") || Number.isNaN(at.getTime())) return;
    element.dataset.said = element.textContent;
    element.textContent = written.format(at);
    element.title = exact.format(at);
  });
}
