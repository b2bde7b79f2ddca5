// A part to be turned, in place of its picture: three.js, loaded when somebody asks for it.
// Nothing moves by itself, so a picture is drawn only when something changed.
import {
  Box3, BufferGeometry, Color, DirectionalLight, EdgesGeometry, GridHelper,
  HemisphereLight, Line, LineBasicMaterial, LineSegments, Mesh, MeshBasicMaterial,
  MeshStandardMaterial, PerspectiveCamera, Raycaster, Scene, SphereGeometry, Spherical, Vector2,
  Vector3, WebGLRenderer,
} from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";

const MM = 1000; // a model is in metres
const VIEW_DEG = 30;
const FROM = new Vector3(0.55, 0.6, 1).normalize(); // as the picture: from the front and above
const EDGE_DEG = 25; // a bend that gets a line
const MOST_EDGED = 80_000; // triangles: beyond it finding the edges takes too long
const SNAP_PX = 10; // a press this near to a corner means the corner
const BESIDE = [[0, 0], [4, 0], [-4, 0], [0, 4], [0, -4], [3, 3], [-3, 3], [3, -3], [-3, -3]];
const STILL_PX = 5; // a pointer that moved more has turned the part
const TURN = Math.PI / 24;
const NEARER = 0.87;

/** Show the model at `address` in `host`. Resolves when it is seen; says so itself when it cannot. */
export async function open(host, address, hub) {
  const viewer = new Viewer(host, hub);
  host.viewer = viewer;
  if (!viewer.begin()) return viewer;
  await viewer.load(address);
  return viewer;
}

class Viewer {
  constructor(host, hub) {
    this.host = host;
    this.hub = hub;
    this.say = hub.say;
    this.points = [];
    this.measuring = false;
    this.wire = false;
    this.turn = 0; // which load is the last
  }

  /** Put the stage up. False when this browser has no WebGL. */
  begin() {
    this.host.querySelector(":scope > .viewer-note")?.remove();
    let renderer;
    try {
      renderer = new WebGLRenderer({ antialias: true, alpha: true });
    } catch {
      this.giveUp(this.say("This browser shows no 3D graphics (WebGL). The picture shows the part."));
      return false;
    }
    this.renderer = renderer;
    renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
    this.scene = new Scene();
    this.camera = new PerspectiveCamera(VIEW_DEG, 1, 0.1, 10000);
    this.lights();
    this.furnish();
    this.controls = new OrbitControls(this.camera, renderer.domElement);
    this.controls.addEventListener("change", () => this.draw());
    this.listen();
    this.restyle();
    return true;
  }

  lights() {
    const key = new DirectionalLight(0xffffff, 2.8);
    key.position.set(1, 2.4, 0.9); // over the right shoulder, wherever one looks from
    const fill = new DirectionalLight(0xffffff, 0.6);
    fill.position.set(-2, -0.5, 1);
    this.camera.add(key, fill);
    this.scene.add(this.camera, new HemisphereLight(0xffffff, 0x6b665e, 0.8));
  }

  /** Canvas, buttons and words round it. */
  furnish() {
    const canvas = this.renderer.domElement;
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "application");
    canvas.setAttribute("aria-label", this.say("Part in 3D"));
    const help = made("p", "hint", this.say(
      "Turn with the arrow keys, come nearer with plus and minus. R: as at first, W: wire, M: measure.",
    ));
    help.id = `viewer-help-${Math.random().toString(36).slice(2)}`;
    canvas.setAttribute("aria-describedby", help.id);
    this.cross = made("span", "viewer-cross");
    this.cross.hidden = true;
    this.scale = made("span", "viewer-scale");
    const stage = made("div", "viewer-stage");
    stage.append(canvas, this.cross, this.scale);
    this.buttons = {
      measure: button(this.say("Measure"), () => this.measure(!this.measuring), false),
      wire: button(this.say("Wire"), () => this.wireframe(!this.wire), false),
      reset: button(this.say("As at first"), () => this.reset()),
      close: button(this.say("Picture"), () => this.close()),
    };
    const acts = made("div", "acts");
    acts.append(...Object.values(this.buttons));
    this.said = made("p", "viewer-said");
    this.said.setAttribute("role", "status");
    this.note = made("p", "hint");
    this.stage = made("div", "viewer");
    this.stage.append(stage, this.said, acts, this.note, help);
    this.hidden = [...this.host.children].filter((each) => !each.hidden);
    this.hidden.forEach((each) => { each.hidden = true; });
    this.host.setAttribute("data-kept", "");
    this.host.append(this.stage);
  }

  listen() {
    const canvas = this.renderer.domElement;
    this.ending = new AbortController();
    const until = { signal: this.ending.signal };
    let down = null;
    canvas.addEventListener("pointerdown", (event) => { down = { x: event.clientX, y: event.clientY }; }, until);
    canvas.addEventListener("pointerup", (event) => {
      const still = down && Math.hypot(event.clientX - down.x, event.clientY - down.y) < STILL_PX;
      if (this.measuring && still) this.pick(event.clientX, event.clientY);
    }, until);
    canvas.addEventListener("keydown", (event) => this.key(event), until);
    canvas.addEventListener("webglcontextlost", (event) => {
      event.preventDefault();
      this.giveUp(this.say("The 3D view could not be loaded. Try again later."));
    }, until);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.restyle(), until);
    this.sizes = new ResizeObserver(() => this.resize());
    this.sizes.observe(canvas.parentElement);
  }

  /** Fetch a model and show it in place of the one before. */
  async load(address) {
    const turn = ++this.turn;
    this.tell(this.say("Loading the model …"));
    this.stage.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(address);
      if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
      const model = await new GLTFLoader().parseAsync(await answer.arrayBuffer(), "");
      if (turn !== this.turn) return;
      this.show(model.scene);
      this.renderer.domElement.focus({ preventScroll: true });
    } catch (fault) {
      if (turn !== this.turn) return;
      console.warn(fault);
      this.giveUp(this.say("The model could not be loaded. It may still be made: try again in a minute."));
    }
  }

  show(model) {
    this.clear();
    model.scale.setScalar(MM);
    model.updateMatrixWorld(true);
    this.model = model;
    let extras = {};
    model.traverse((each) => {
      if (!each.isMesh) return;
      this.mesh = each;
      extras = { ...each.userData, ...each.geometry.userData };
      each.material.dispose();
      each.material = new MeshStandardMaterial({ flatShading: true, roughness: 0.75, side: 2 });
      const count = each.geometry.index.count / 3;
      if (count <= MOST_EDGED) {
        const lines = new LineSegments(new EdgesGeometry(each.geometry, EDGE_DEG), new LineBasicMaterial());
        lines.name = "edges";
        each.add(lines);
        // Behind its own edges, so that they are seen.
        Object.assign(each.material, { polygonOffset: true, polygonOffsetFactor: 1, polygonOffsetUnits: 1 });
      }
    });
    this.scene.add(model);
    this.stand();
    const { shown, triangles } = extras;
    this.note.textContent = shown < triangles
      ? this.say("Shown with %(shown)s of %(all)s triangles; the part is made from all of them.",
          { shown: figure(shown), all: figure(triangles) })
      : "";
    this.stage.removeAttribute("aria-busy");
    this.wireframe(this.wire);
    this.measure(this.measuring);
    this.restyle();
    this.resize();
    this.reset();
  }

  /** On another side, as the host says now. */
  lie() {
    if (!this.model) return;
    this.forget();
    this.grid.geometry.dispose();
    this.grid.material.dispose();
    this.grid.removeFromParent();
    this.stand();
    this.restyle();
    this.reset();
  }

  /** Turn it the way that `data-down` of the host says, a direction of the part, and put a bed below. */
  stand() {
    const [x, y, z] = (this.host.dataset.down ?? "0 0 -1").split(" ").map(Number);
    const down = new Vector3(x, z, -y).normalize();
    // What looks straight up goes half round x, as the hub turns it.
    if (down.y > 1 - 1e-6) this.model.quaternion.set(1, 0, 0, 0);
    else this.model.quaternion.setFromUnitVectors(down, new Vector3(0, -1, 0));
    this.model.updateMatrixWorld(true);
    this.box = new Box3().setFromObject(this.model, true);
    this.plate();
  }

  /** The bed it stands on, in squares of whole millimetres. */
  plate() {
    const size = this.box.getSize(new Vector3());
    const wide = Math.max(size.x, size.z, 1);
    const square = 10 ** Math.min(3, Math.max(0, Math.floor(Math.log10(wide / 2))));
    const squares = Math.max(4, Math.ceil((wide * 1.6) / square / 2) * 2);
    const middle = this.box.getCenter(new Vector3());
    this.grid = new GridHelper(squares * square, squares);
    const snapped = (value) => Math.round(value / square) * square;
    this.grid.position.set(snapped(middle.x), this.box.min.y - size.length() * 1e-4, snapped(middle.z));
    this.grid.material.transparent = true;
    this.scene.add(this.grid);
    this.scale.textContent = this.say("Squares of %(mm)s mm", { mm: figure(square) });
  }

  reset() {
    if (!this.box) return;
    const middle = this.box.getCenter(new Vector3());
    const radius = Math.max(this.box.getSize(new Vector3()).length() / 2, 0.01);
    const half = (VIEW_DEG / 2) * (Math.PI / 180);
    const narrow = Math.min(half, Math.atan(Math.tan(half) * this.camera.aspect));
    const away = (radius / Math.sin(narrow)) * 1.08;
    this.camera.position.copy(middle).addScaledVector(FROM, away);
    Object.assign(this.camera, { near: radius / 100, far: away + radius * 40 });
    this.camera.updateProjectionMatrix();
    Object.assign(this.controls, { minDistance: radius / 50, maxDistance: away * 8 });
    this.controls.target.copy(middle);
    this.controls.update();
    this.draw();
  }

  restyle() {
    const style = getComputedStyle(this.host);
    const token = (name) => new Color(style.getPropertyValue(name).trim() || "#888");
    this.colours = { part: token("--part"), edge: token("--text"), line: token("--edge"), mark: token("--bad") };
    if (this.mesh) {
      this.mesh.material.color = this.colours.part;
      const edges = this.mesh.getObjectByName("edges");
      if (edges) edges.material.color = this.colours.edge;
    }
    if (this.grid) {
      // Vertex colours of the helper would not follow the scheme.
      this.grid.material.vertexColors = false;
      this.grid.material.color = this.colours.line;
      this.grid.material.opacity = 0.45;
      this.grid.material.needsUpdate = true;
    }
    this.draw();
  }

  resize() {
    const { clientWidth: wide, clientHeight: high } = this.renderer.domElement.parentElement;
    if (!wide || !high) return;
    this.renderer.setSize(wide, high, false);
    this.camera.aspect = wide / high;
    this.camera.updateProjectionMatrix();
    this.draw();
  }

  draw() {
    if (this.waiting || !this.renderer) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = 0;
      this.size();
      this.renderer?.render(this.scene, this.camera);
    });
  }

  // Measuring.

  measure(on) {
    this.measuring = on;
    this.buttons.measure.setAttribute("aria-pressed", String(on));
    this.cross.hidden = !on;
    this.forget();
    this.tell(on ? this.say("Press on two points of the part.") : "");
    this.draw();
  }

  /** A press at a point of the window: a corner near it, or what lies under it. */
  pick(x, y) {
    const hit = this.under(x, y);
    if (!hit) return this.tell(this.say("That is beside the part."));
    if (this.points.length === 2) this.forget();
    this.mark(this.corner(hit, x, y) ?? hit.point);
    if (this.points.length === 1) return this.tell(this.say("Press on the second point."));
    const [one, other] = this.points;
    const apart = other.clone().sub(one);
    return this.tell(this.say("%(length)s mm between the two points (x %(x)s, y %(y)s, z %(z)s)", {
      length: figure(apart.length(), 2),
      x: figure(Math.abs(apart.x), 2),
      y: figure(Math.abs(apart.z), 2), // of the part, whose z is up
      z: figure(Math.abs(apart.y), 2),
    }));
  }

  /** What lies under a point of the window, or right beside it: one measures at outer edges. */
  under(x, y) {
    const canvas = this.renderer.domElement.getBoundingClientRect();
    const ray = new Raycaster();
    for (const [right, down] of BESIDE) {
      const across = (x + right - canvas.left) / canvas.width;
      const along = (y + down - canvas.top) / canvas.height;
      ray.setFromCamera(new Vector2(across * 2 - 1, 1 - along * 2), this.camera);
      const [hit] = this.mesh ? ray.intersectObject(this.mesh, false) : [];
      if (hit) return hit;
    }
    return null;
  }

  corner(hit, x, y) {
    const place = this.mesh.geometry.attributes.position;
    let best = null;
    let nearest = SNAP_PX;
    for (const number of [hit.face.a, hit.face.b, hit.face.c]) {
      const point = new Vector3().fromBufferAttribute(place, number).applyMatrix4(this.mesh.matrixWorld);
      const seen = this.at(point);
      const away = Math.hypot(seen.x - x, seen.y - y);
      if (away < nearest) [best, nearest] = [point, away];
    }
    return best;
  }

  mark(point) {
    this.points.push(point);
    const colour = { color: this.colours.mark, depthTest: false };
    const ball = new Mesh(new SphereGeometry(1, 16, 12), new MeshBasicMaterial(colour));
    ball.position.copy(point);
    ball.renderOrder = 2;
    this.marks = [...(this.marks ?? []), ball];
    if (this.points.length === 2) {
      const line = new Line(new BufferGeometry().setFromPoints(this.points), new LineBasicMaterial(colour));
      line.renderOrder = 2;
      this.marks.push(line);
    }
    this.scene.add(...this.marks);
    this.draw();
  }

  /** Marks are as large on the screen from near and from far. */
  size() {
    const canvas = this.renderer?.domElement;
    for (const mark of this.marks ?? []) {
      if (!mark.isMesh) continue;
      const away = mark.position.distanceTo(this.camera.position);
      const pixel_mm = (2 * away * Math.tan((VIEW_DEG * Math.PI) / 360)) / (canvas?.clientHeight || 1);
      mark.scale.setScalar(4 * pixel_mm);
    }
  }

  forget() {
    for (const mark of this.marks ?? []) {
      mark.geometry.dispose();
      mark.material.dispose();
      mark.removeFromParent();
    }
    this.marks = [];
    this.points = [];
  }

  /** Where a point of the scene is seen in the window, in pixels. */
  at(point) {
    this.camera.updateMatrixWorld();
    const seen = point.clone().project(this.camera);
    const canvas = this.renderer.domElement.getBoundingClientRect();
    return {
      x: canvas.left + ((seen.x + 1) / 2) * canvas.width,
      y: canvas.top + ((1 - seen.y) / 2) * canvas.height,
    };
  }

  /** Where a point of the part, mm with z up, is seen in the window. */
  seen(x, y, z) {
    return this.at(new Vector3(x, z, -y));
  }

  // Keys and buttons.

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const act = {
      ArrowLeft: () => this.orbit(-TURN, 0, event.shiftKey),
      ArrowRight: () => this.orbit(TURN, 0, event.shiftKey),
      ArrowUp: () => this.orbit(0, -TURN, event.shiftKey),
      ArrowDown: () => this.orbit(0, TURN, event.shiftKey),
      "+": () => this.near(NEARER),
      "=": () => this.near(NEARER),
      "-": () => this.near(1 / NEARER),
      r: () => this.reset(),
      w: () => this.wireframe(!this.wire),
      m: () => this.measure(!this.measuring),
      Escape: () => (this.measuring ? this.measure(false) : this.close()),
      Enter: () => this.measuring && this.pickMiddle(),
    }[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  pickMiddle() {
    const canvas = this.renderer.domElement.getBoundingClientRect();
    this.pick(canvas.left + canvas.width / 2, canvas.top + canvas.height / 2);
  }

  orbit(around, down, sideways) {
    const { target } = this.controls;
    const from = this.camera.position.clone().sub(target);
    if (sideways) {
      const step = from.length() * 0.08;
      const move = new Vector3(Math.sign(around) * step, -Math.sign(down) * step, 0);
      move.applyQuaternion(this.camera.quaternion);
      target.add(move);
      this.camera.position.add(move);
    } else {
      const place = new Spherical().setFromVector3(from);
      place.theta += around;
      place.phi += down;
      this.camera.position.setFromSpherical(place.makeSafe()).add(target);
    }
    this.controls.update();
    this.draw();
  }

  near(factor) {
    const { target } = this.controls;
    this.camera.position.sub(target).multiplyScalar(factor).add(target);
    this.controls.update();
    this.draw();
  }

  wireframe(on) {
    this.wire = on;
    this.buttons.wire.setAttribute("aria-pressed", String(on));
    if (this.mesh) this.mesh.material.wireframe = on;
    this.draw();
  }

  tell(text) {
    this.said.textContent = text;
  }

  // The end.

  clear() {
    this.forget();
    for (const root of [this.model, this.grid]) {
      root?.traverse((each) => {
        each.geometry?.dispose();
        each.material?.dispose();
      });
      root?.removeFromParent();
    }
    this.model = this.mesh = this.grid = null;
  }

  /** Give everything back; the picture stands there again. */
  close() {
    if (this.renderer) {
      this.turn += 1;
      this.ending.abort();
      this.sizes.disconnect();
      cancelAnimationFrame(this.waiting);
      this.clear();
      this.controls.dispose();
      this.renderer.dispose();
      this.renderer.forceContextLoss();
      this.renderer = null;
      this.stage.remove();
      this.hidden.forEach((each) => { each.hidden = false; });
      this.host.removeAttribute("data-kept");
    }
    delete this.host.viewer;
    this.hub.closed();
  }

  giveUp(text) {
    this.close();
    const note = made("p", "viewer-note notice warn", text);
    this.host.append(note);
    this.hub.announce(text);
  }
}

const locale = document.documentElement.lang || undefined;

function figure(value, digits = 0) {
  return new Intl.NumberFormat(locale, { maximumFractionDigits: digits }).format(value);
}

function made(tag, kind, text = "") {
  const element = document.createElement(tag);
  element.className = kind;
  element.textContent = text;
  return element;
}

function button(text, act, pressed) {
  const element = made("button", "plain", text);
  element.type = "button";
  if (pressed !== undefined) element.setAttribute("aria-pressed", String(pressed));
  element.addEventListener("click", act);
  return element;
}
