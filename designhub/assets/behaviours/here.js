// <button data-here="place" hidden>: fills the field of that name with where the browser is.
import { announce, say } from "../words.js";
import { each, round } from "./each.js";

const DIGITS = 3; // 0.001° is about 100 m: near enough for a distance, too far off for a door
const LIMIT_MS = 15000;

export function install(root) {
  if (!("geolocation" in navigator)) return;
  each(root, "[data-here]", (button) => { button.hidden = false; });
}

document.addEventListener("click", (event) => {
  const button = round(event, "[data-here]");
  if (!button) return;
  const said = place(button);
  tell(said, say("Asking the browser where you are …"));
  navigator.geolocation.getCurrentPosition(
    ({ coords }) => {
      const text = `${coords.latitude.toFixed(DIGITS)}, ${coords.longitude.toFixed(DIGITS)}`;
      fill(fieldOf(button, button.dataset.here), text);
      tell(said, say("Found: %(place)s", { place: text }));
    },
    (fault) => tell(said, fault.code === fault.PERMISSION_DENIED
      ? say("The browser may not tell where you are. Allow it in its settings, or type a town.")
      : say("The browser cannot tell where you are. Type a town instead.")),
    { timeout: LIMIT_MS, maximumAge: 300000 },
  );
});

/** The text beside the button in which it says what happens. */
function place(button) {
  let said = button.nextElementSibling;
  if (!said?.matches(".here-said")) {
    said = document.createElement("span");
    said.className = "here-said hint";
    button.after(said);
  }
  return said;
}

function tell(said, text) {
  said.textContent = text;
  announce(text);
}

/** The field called `name` in the element's own form, else on the page. */
export function fieldOf(element, name) {
  const own = element.closest("form")?.elements.namedItem(name);
  return own ?? document.querySelector(`[name="${CSS.escape(name)}"]`);
}

/** Put a value into a field as if it were typed. */
export function fill(field, text) {
  if (!field) return;
  field.value = text;
  for (const kind of ["input", "change"]) field.dispatchEvent(new Event(kind, { bubbles: true }));
}
