// <details class="menu">: Escape and a press elsewhere close it.
import { round } from "./each.js";

document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && round(event, "details.menu[open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});
document.addEventListener("click", (event) => {
  const own = round(event, "details.menu");
  document.querySelectorAll("details.menu[open]").forEach((menu) => {
    if (menu !== own) menu.open = false;
  });
});
