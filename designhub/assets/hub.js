// What every page may use. Each behaviour finds its own elements, on the page and in what is put
// into it later; without it the page still works.
import htmx from "htmx.org";
import { install as times } from "./behaviours/times.js";

const BEHAVIOURS = [times];

// Nothing that the content security policy forbids, and nobody else's pages.
Object.assign(htmx.config, { allowEval: false, includeIndicatorStyles: false, selfRequestsOnly: true });
htmx.onLoad((root) => BEHAVIOURS.forEach((install) => install(root)));
