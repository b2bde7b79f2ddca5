// A map of the world, drawn from shapes that the hub itself serves; places on it are links. Land
// is painted on a canvas, places stand over it as SVG, so that they can be focused and pressed.
import { geoGraticule10, geoMercator, geoPath } from "d3-geo";
import { feature, mesh } from "topojson-client";
import coarse from "world-atlas/countries-110m.json";
import fine from "world-atlas/countries-50m.json";

const TILE = 256; // pixels of the world at zoom 0, as everywhere on the web
const MOST_ZOOM = 11;
const FINE_ZOOM = 3.5;
const CITIES_ZOOM = 4;
const MOST_PLACES = 200; // in view at once
const MOST_LAT = 84;
const STEP_PX = 90;
const STILL_PX = 5;
const REST_MS = 250; // the map rests before names are asked for
const SVG = "http://www.w3.org/2000/svg";

/** Draw the map that `element` describes by its data attributes; see docs/design.md. */
export async function draw(element, hub) {
  const map = new WorldMap(element, hub);
  try {
    await map.begin();
  } catch (fault) {
    map.end();
    throw fault;
  }
}

const worlds = new Map();

function world(address) {
  if (!worlds.has(address)) {
    worlds.set(address, fetch(new URL(address, import.meta.url)).then(async (answer) => {
      if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
      const shapes = await answer.json();
      const { countries, land } = shapes.objects;
      return { land: feature(shapes, land), borders: mesh(shapes, countries, (a, b) => a !== b) };
    }));
  }
  return worlds.get(address);
}

const upright = (lat) => Math.log(Math.tan(Math.PI / 4 + (lat * Math.PI) / 360));
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const turned = (lon) => ((((lon + 180) % 360) + 360) % 360) - 180;

class WorldMap {
  constructor(element, hub) {
    Object.assign(this, { element, hub, say: hub.say, places: [], cities: [], chosen: null });
    this.tiles = document.body.dataset.tiles ?? "";
    this.pictures = new Map();
  }

  async begin() {
    this.furnish();
    this.listen();
    this.resize();
    const [shapes] = await Promise.all([world(coarse), this.read()]);
    this.shapes = shapes;
    this.first();
    this.restyle();
  }

  furnish() {
    const { element, say } = this;
    const picks = element.dataset.pick;
    const sheet = made("div", "map-sheet");
    sheet.tabIndex = 0;
    sheet.setAttribute("role", "application");
    sheet.setAttribute("aria-label", element.getAttribute("aria-label") || say("Map"));
    sheet.title = picks
      ? say("Move with the arrow keys, come nearer with plus and minus, choose the middle with Enter.")
      : say("Move with the arrow keys, come nearer with plus and minus.");
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("aria-hidden", "true");
    this.links = document.createElementNS(SVG, "svg");
    sheet.append(this.canvas, this.links);
    const acts = made("div", "map-acts");
    acts.append(
      button("+", say("Nearer"), () => this.zoomBy(1)),
      button("−", say("Farther"), () => this.zoomBy(-1)),
      button("⤢", say("Show all"), () => this.fit()),
    );
    this.sheet = sheet;
    this.hidden = [...element.children].filter((each) => !each.hidden);
    this.hidden.forEach((each) => { each.hidden = true; });
    if (/^\d+$/.test(element.dataset.height ?? "")) element.style.height = `${element.dataset.height}px`;
    element.setAttribute("data-kept", "");
    this.credit = made("p", "map-credit", this.tiles ? document.body.dataset.tilesCredit : "");
    this.acts = acts;
    element.append(sheet, acts, this.credit);
  }

  /** Nothing could be drawn: what stood there before stands there again. */
  end() {
    [this.sheet, this.acts, this.credit].forEach((each) => each.remove());
    this.hidden.forEach((each) => { each.hidden = false; });
    this.element.removeAttribute("data-kept");
    this.sizes.disconnect();
  }

  // What is on it.

  /** Places from the address in data-map, or from the links of a list on the page. */
  async read() {
    const { map, mapFrom } = this.element.dataset;
    if (mapFrom) {
      const links = document.querySelectorAll(`${mapFrom} [data-place][data-lat][data-lon]`);
      this.places = [...links].map((link) => ({
        title: link.dataset.place,
        text: link.dataset.text ?? "",
        href: link.getAttribute("href"),
        kind: link.dataset.kind ?? "workshop",
        rank: Number(link.dataset.rank) || 0,
        lat: Number(link.dataset.lat),
        lon: Number(link.dataset.lon),
      }));
    } else if (map) {
      const answer = await fetch(map);
      if (!answer.ok) throw new Error(`${map}: ${answer.status}`);
      const { features } = await answer.json();
      this.places = features.map(({ geometry, properties }) => ({
        ...properties,
        lon: geometry.coordinates[0],
        lat: geometry.coordinates[1],
      }));
    }
    this.places = this.places.filter(({ lat, lon }) => Number.isFinite(lat) && Number.isFinite(lon));
    this.places.sort((one, other) => (other.rank ?? 0) - (one.rank ?? 0));
    const picked = this.field()?.value.split(",").map(Number);
    if (picked?.length === 2 && picked.every(Number.isFinite)) {
      this.chosen = { lat: picked[0], lon: picked[1] };
    }
  }

  field() {
    const { pick } = this.element.dataset;
    return pick ? this.hub.fieldOf(this.element, pick) : null;
  }

  first() {
    const { lat, lon, zoom } = this.element.dataset;
    if (lat && lon) this.look(Number(lat), Number(lon), Number(zoom) || 6);
    else if (this.chosen) this.look(this.chosen.lat, this.chosen.lon, 6);
    else this.fit();
  }

  // Where it looks.

  look(lat, lon, zoom) {
    this.zoom = clamp(zoom, this.leastZoom(), MOST_ZOOM);
    // Never beyond the poles: half the window is kept below the last latitude.
    const half = (this.high / 2 / (TILE * 2 ** this.zoom)) * 2 * Math.PI;
    const most = Math.max(0, upright(MOST_LAT) - half);
    const y = clamp(upright(clamp(lat, -MOST_LAT, MOST_LAT)), -most, most);
    this.lat = ((2 * Math.atan(Math.exp(y)) - Math.PI / 2) * 180) / Math.PI;
    this.lon = turned(lon);
    this.draw();
  }

  leastZoom() {
    return Math.max(0, Math.log2(Math.max(this.wide, this.high) / TILE));
  }

  /** All places in one view, or the whole world. */
  fit() {
    const shown = this.chosen ? [...this.places, this.chosen] : this.places;
    if (shown.length === 0) return this.look(25, 10, 0);
    const lons = shown.map(({ lon }) => lon);
    const ys = shown.map(({ lat }) => upright(clamp(lat, -MOST_LAT, MOST_LAT)));
    const [west, east] = [Math.min(...lons), Math.max(...lons)];
    const [south, north] = [Math.min(...ys), Math.max(...ys)];
    const across = Math.max(((east - west) / 360) * TILE, 1e-6);
    const down = Math.max(((north - south) / (2 * Math.PI)) * TILE, 1e-6);
    const zoom = Math.log2(Math.min((this.wide - 120) / across, (this.high - 100) / down));
    const middle = ((2 * Math.atan(Math.exp((south + north) / 2)) - Math.PI / 2) * 180) / Math.PI;
    return this.look(middle, (west + east) / 2, Math.min(zoom, 5.5));
  }

  projection() {
    return geoMercator()
      .scale((TILE * 2 ** this.zoom) / (2 * Math.PI))
      .rotate([-this.lon, 0])
      .center([0, this.lat])
      .translate([this.wide / 2, this.high / 2])
      .precision(0);
  }

  moveBy(x, y) {
    const [lon, lat] = this.projection().invert([this.wide / 2 + x, this.high / 2 + y]);
    this.look(lat, lon, this.zoom);
  }

  /** Come nearer by steps, so that the point of the window at (x, y) stays where it is. */
  zoomBy(steps, x = this.wide / 2, y = this.high / 2) {
    const point = this.projection().invert([x, y]);
    this.zoom = clamp(this.zoom + steps, this.leastZoom(), MOST_ZOOM);
    const [there_x, there_y] = this.projection()(point);
    this.moveBy(there_x - x, there_y - y);
  }

  // Painting.

  resize() {
    const { clientWidth, clientHeight } = this.element;
    this.wide = Math.max(clientWidth, 50);
    this.high = Math.max(clientHeight, 50);
    const sharp = Math.min(devicePixelRatio || 1, 2);
    this.canvas.width = this.wide * sharp;
    this.canvas.height = this.high * sharp;
    this.sharp = sharp;
    this.links.setAttribute("viewBox", `0 0 ${this.wide} ${this.high}`);
    if (this.shapes) this.look(this.lat, this.lon, this.zoom);
  }

  restyle() {
    const style = getComputedStyle(this.element);
    const token = (name) => style.getPropertyValue(name).trim();
    this.colours = {
      land: token("--surface"), border: token("--line"), coast: token("--edge"),
      text: token("--soft"), sea: token("--sunken"), grid: token("--line"),
    };
    this.font = style.fontFamily;
    this.draw();
  }

  draw() {
    if (this.waiting || !this.shapes || !this.colours) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = 0;
      this.paint();
      this.put();
    });
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.rested(), REST_MS);
  }

  paint() {
    const { colours } = this;
    const context = this.canvas.getContext("2d");
    context.setTransform(this.sharp, 0, 0, this.sharp, 0, 0);
    context.clearRect(0, 0, this.wide, this.high);
    const projection = this.projection().clipExtent([[-20, -20], [this.wide + 20, this.high + 20]]);
    const path = geoPath(projection, context);
    const stroke = (shape, colour, width) => {
      context.beginPath();
      path(shape);
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.stroke();
    };
    if (this.tiles) {
      this.paintTiles(context);
    } else {
      if (this.zoom < 5) stroke(geoGraticule10(), colours.grid, 0.5);
      context.beginPath();
      path(this.shapes.land);
      context.fillStyle = colours.land;
      context.fill();
      stroke(this.shapes.land, colours.coast, 0.7);
    }
    stroke(this.shapes.borders, this.tiles ? colours.coast : colours.border, 1);
    if (!this.tiles && this.zoom >= CITIES_ZOOM) this.paintCities(context, projection);
  }

  /** Names of cities, the largest first; one that would cover another is left out. */
  paintCities(context, projection) {
    context.font = `12px ${this.font}`;
    context.textBaseline = "middle";
    const taken = this.places.map((place) => {
      const [x, y] = projection([place.lon, place.lat]);
      return [x - 10, y - 10, x + 14 + place.title.length * 8, y + 10];
    });
    for (const city of this.cities) {
      const [x, y] = projection([city.lon, city.lat]);
      const box = [x - 4, y - 9, x + 10 + context.measureText(city.name).width, y + 9];
      if (box[2] < 0 || x > this.wide || y < 0 || y > this.high) continue;
      if (taken.some((o) => o[0] < box[2] && box[0] < o[2] && o[1] < box[3] && box[1] < o[3])) continue;
      taken.push(box);
      context.beginPath();
      context.arc(x, y, 2, 0, 2 * Math.PI);
      context.fillStyle = this.colours.text;
      context.fill();
      context.lineWidth = 3;
      context.strokeStyle = this.colours.land;
      context.strokeText(city.name, x + 6, y);
      context.fillText(city.name, x + 6, y);
    }
  }

  paintTiles(context) {
    const z = clamp(Math.round(this.zoom), 0, 19);
    const count = 2 ** z;
    const side = TILE * 2 ** (this.zoom - z);
    const left = ((this.lon + 180) / 360) * count - this.wide / 2 / side;
    const top = (0.5 - upright(this.lat) / (2 * Math.PI)) * count - this.high / 2 / side;
    for (let x = Math.floor(left); x < left + this.wide / side; x += 1) {
      for (let y = Math.max(0, Math.floor(top)); y < Math.min(count, top + this.high / side); y += 1) {
        const picture = this.tile(z, ((x % count) + count) % count, y);
        if (picture.complete && picture.naturalWidth) {
          context.drawImage(picture, (x - left) * side, (y - top) * side, side + 0.5, side + 0.5);
        }
      }
    }
  }

  tile(z, x, y) {
    const address = this.tiles.replace("{z}", z).replace("{x}", x).replace("{y}", y);
    if (!this.pictures.has(address)) {
      const picture = new Image();
      picture.referrerPolicy = "strict-origin-when-cross-origin";
      picture.addEventListener("load", () => this.draw());
      picture.src = address;
      if (this.pictures.size > 300) this.pictures.clear();
      this.pictures.set(address, picture);
    }
    return this.pictures.get(address);
  }

  /** Places as links, where they are now. The elements stay, and with them the focus. */
  put() {
    const projection = this.projection();
    this.made ??= new Map();
    let count = 0;
    const named = [];
    const marks = this.chosen ? [{ ...this.chosen, kind: "you", title: this.say("You") }] : [];
    for (const place of [...marks, ...this.places]) {
      const [x, y] = projection([place.lon, place.lat]);
      const seen = x > -30 && x < this.wide + 30 && y > -30 && y < this.high + 30;
      const key = place.kind === "you" ? "you" : place;
      let mark = this.made.get(key);
      if (!seen || count >= MOST_PLACES) {
        mark?.remove();
        continue;
      }
      count += 1;
      if (!mark) this.made.set(key, (mark = this.mark(place)));
      if (mark.parentNode !== this.links) this.links.append(mark);
      mark.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)})`);
      const wide = 16 + place.title.length * 8;
      const free = !named.some(([ox, oy, ow]) => Math.abs(y - oy) < 20 && x < ox + ow && ox < x + wide);
      if (free) named.push([x, y, wide]);
      mark.classList.toggle("quiet", !free || (this.zoom < 3 && this.places.length > 12));
    }
    if (!this.chosen) {
      this.made.get("you")?.remove();
    }
  }

  mark(place) {
    const mark = document.createElementNS(SVG, place.href ? "a" : "g");
    mark.setAttribute("class", `map-place ${place.kind === "you" ? "you" : "workshop"}`);
    if (place.href) mark.setAttribute("href", place.href);
    else mark.setAttribute("role", "img");
    mark.setAttribute("aria-label", [place.title, place.text].filter(Boolean).join(", "));
    const title = svg("title", {});
    title.textContent = [place.title, place.text].filter(Boolean).join("\n");
    const text = svg("text", { x: 12, y: 5 });
    text.textContent = place.title;
    mark.append(title, svg("circle", { r: 20, class: "map-near" }), svg("circle", { r: 8 }), text);
    return mark;
  }

  /** The map stands still: finer shapes and names of cities are worth asking for. */
  async rested() {
    try {
      if (this.zoom >= FINE_ZOOM && !this.finer && !this.tiles) {
        this.finer = true;
        this.shapes = await world(fine);
        this.draw();
      }
      if (this.zoom >= CITIES_ZOOM && !this.tiles) await this.askCities();
    } catch {
      // It shows what it has.
    }
  }

  async askCities() {
    const projection = this.projection();
    // Snapped to a grid, so that a small move asks for nothing new.
    const grid = 90 / 2 ** Math.floor(this.zoom);
    const [west, north] = projection.invert([0, 0]);
    const [east, south] = projection.invert([this.wide, this.high]);
    const out = (value, way) => Math[way](value / grid) * grid;
    const box = [
      turned(out(west, "floor")), Math.max(-90, out(south, "floor")),
      turned(out(east, "ceil")), Math.min(90, out(north, "ceil")),
    ].map((value) => Number(value.toFixed(4))).join(",");
    if (box === this.asked) return;
    this.asked = box;
    const answer = await fetch(`/map/places?bbox=${box}`);
    if (!answer.ok || box !== this.asked) return;
    this.cities = await answer.json();
    this.draw();
  }

  // Hands.

  listen() {
    const { sheet } = this;
    const held = new Map();
    let far = 0; // how far the pointers went
    let apart = 0;
    sheet.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      if (held.size === 0) far = 0;
      held.set(event.pointerId, this.inside(event));
      apart = spread(held);
    });
    sheet.addEventListener("pointermove", (event) => {
      const before = held.get(event.pointerId);
      if (!before) return;
      const now = this.inside(event);
      held.set(event.pointerId, now);
      far += Math.hypot(now.x - before.x, now.y - before.y);
      if (far > STILL_PX && !sheet.hasPointerCapture(event.pointerId)) sheet.setPointerCapture(event.pointerId);
      if (held.size === 1) this.moveBy(before.x - now.x, before.y - now.y);
      if (held.size === 2) {
        const [one, other] = held.values();
        const wider = spread(held);
        if (apart > 0) this.zoomBy(Math.log2(wider / apart), (one.x + other.x) / 2, (one.y + other.y) / 2);
        apart = wider;
      }
    });
    const let_go = (event) => {
      held.delete(event.pointerId);
      apart = spread(held);
    };
    sheet.addEventListener("pointerup", let_go);
    sheet.addEventListener("pointercancel", let_go);
    sheet.addEventListener("dragstart", (event) => event.preventDefault());
    sheet.addEventListener("click", (event) => {
      if (far > STILL_PX) event.preventDefault(); // the map was moved, no link pressed
      else if (!event.target.closest("a")) this.pick(this.inside(event));
    });
    sheet.addEventListener("wheel", (event) => {
      // A wheel over a map that nobody uses scrolls the page.
      if (!event.ctrlKey && !sheet.contains(document.activeElement)) return;
      event.preventDefault();
      const { x, y } = this.inside(event);
      this.zoomBy(clamp(-event.deltaY / 300, -1, 1), x, y);
    }, { passive: false });
    sheet.addEventListener("keydown", (event) => this.key(event));
    this.sizes = new ResizeObserver(() => this.resize());
    this.sizes.observe(this.element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.restyle());
    document.addEventListener("htmx:afterSettle", () => this.again());
  }

  /** The list that the map shows may have become another one. */
  async again() {
    if (!this.element.dataset.mapFrom || !this.element.isConnected) return;
    this.made?.forEach((mark) => mark.remove());
    this.made = new Map();
    await this.read();
    this.draw();
  }

  inside(event) {
    const box = this.sheet.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const act = {
      ArrowLeft: () => this.moveBy(-STEP_PX, 0),
      ArrowRight: () => this.moveBy(STEP_PX, 0),
      ArrowUp: () => this.moveBy(0, -STEP_PX),
      ArrowDown: () => this.moveBy(0, STEP_PX),
      "+": () => this.zoomBy(1),
      "=": () => this.zoomBy(1),
      "-": () => this.zoomBy(-1),
      0: () => this.fit(),
      Home: () => this.fit(),
      // Enter on a focused place opens it.
      Enter: () => this.pick({ x: this.wide / 2, y: this.high / 2 }),
    }[event.key];
    if (!act || (event.key === "Enter" && (event.target !== this.sheet || !this.field()))) return;
    event.preventDefault();
    act();
  }

  /** Put a point of the map into the form's field. */
  pick({ x, y }) {
    const field = this.field();
    if (!field) return;
    const [lon, lat] = this.projection().invert([x, y]);
    this.chosen = { lat, lon };
    const text = `${lat.toFixed(3)}, ${turned(lon).toFixed(3)}`;
    this.hub.fill(field, text);
    this.hub.announce(this.say("Chosen: %(place)s", { place: text }));
    this.draw();
  }
}

function spread(held) {
  if (held.size !== 2) return 0;
  const [one, other] = held.values();
  return Math.hypot(one.x - other.x, one.y - other.y);
}

function made(tag, kind, text = "") {
  const element = document.createElement(tag);
  element.className = kind;
  element.textContent = text;
  return element;
}

function svg(tag, given) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(given)) element.setAttribute(name, value);
  return element;
}

function button(sign, text, act) {
  const element = made("button", "plain", sign);
  element.type = "button";
  element.setAttribute("aria-label", text);
  element.title = text;
  element.addEventListener("click", act);
  return element;
}
