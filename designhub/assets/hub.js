// What every page may use. Each behaviour finds its own elements, on the page and in what is put
// into it later; without it the page still works. What pages write: docs/design.md.
import htmx from "htmx.org";
import * as copy from "./behaviours/copy.js";
import * as forms from "./behaviours/forms.js";
import * as here from "./behaviours/here.js";
import * as live from "./behaviours/live.js";
import * as maps from "./behaviours/maps.js";
import "./behaviours/menus.js";
import * as times from "./behaviours/times.js";
import * as viewers from "./behaviours/viewers.js";
import { announce, ready, say } from "./words.js";

const BEHAVIOURS = [copy, forms, here, live, maps, times, viewers];

Object.assign(htmx.config, {
  // Nothing that the content security policy forbids, and nobody else's pages.
  allowEval: false,
  includeIndicatorStyles: false,
  selfRequestsOnly: true,
  // Pages for one person are not kept on the disk of a shared computer.
  historyCacheSize: 0,
  refreshOnHistoryMiss: true,
});

ready.then(() => {
  htmx.onLoad((root) => BEHAVIOURS.forEach((behaviour) => behaviour.install(root)));
  // htmx may have told of the page before we listened.
  BEHAVIOURS.forEach((behaviour) => behaviour.install(document));
});
live.whenChanged((section) => {
  htmx.process(section);
  BEHAVIOURS.forEach((behaviour) => behaviour.install(section));
});
for (const fault of ["htmx:responseError", "htmx:sendError"]) {
  document.addEventListener(fault, () => announce(say("The hub did not answer. Try again.")));
}
