// Bundle what pages load into static/built/: small, with the hash of the content in every name, a
// manifest that says which name is which, and a packed copy beside each. `make assets` runs it.
import { build } from "esbuild";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const BUILT = fileURLToPath(new URL("../static/built/", import.meta.url));
const PACKED = /\.(js|css|json)$/;

await rm(BUILT, { recursive: true, force: true });
await mkdir(BUILT, { recursive: true });
const manifest = {};
const inputs = new Set();
// Loaded when somebody asks for them; each is whole, so that it waits for no further file.
await bundle(["map.js", "viewer.js"]);
await bundle(["hub.js", "../static/hub.css"]);

async function bundle(entryPoints) {
  const { metafile } = await build({
    absWorkingDir: HERE,
    entryPoints,
    outdir: BUILT,
    entryNames: "[name]-[hash]",
    assetNames: "[name]-[hash]",
    bundle: true,
    format: "esm",
    target: ["chrome109", "firefox115", "safari16.4"],
    minify: true,
    charset: "utf8",
    legalComments: "none",
    loader: { ".json": "file" },
    plugins: [{ name: "built before", setup: takeBuilt }],
    logLevel: "warning",
    metafile: true,
  });
  Object.keys(metafile.inputs).forEach((input) => inputs.add(input));
  for (const [path, made] of Object.entries(metafile.outputs)) {
    const source = made.entryPoint ?? Object.keys(made.inputs)[0];
    manifest[source.split("/").at(-1)] = path.split("/").at(-1);
  }
}

// `import("../map.js")` finds the file that was built of it.
function takeBuilt(step) {
  step.onResolve({ filter: /^\.\.\/(map|viewer)\.js$/ }, ({ path }) => ({
    path: `./${manifest[path.slice(3)]}`,
    external: true,
  }));
}

await writeFile(`${BUILT}licences.txt`, await licences());
for (const name of await readdir(BUILT)) {
  if (PACKED.test(name)) {
    await writeFile(`${BUILT}${name}.gz`, gzipSync(await readFile(BUILT + name), { level: 9 }));
  }
}
await writeFile(`${BUILT}manifest.json`, JSON.stringify(manifest, null, 1) + "\n");

// The licence of every library whose code or data stands in a bundle, word for word.
async function licences() {
  const used = new Set();
  for (const input of inputs) {
    const found = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (found) used.add(found[1]);
  }
  const texts = [];
  for (const library of [...used].sort()) {
    const folder = `${HERE}node_modules/${library}/`;
    const said = JSON.parse(await readFile(`${folder}package.json`, "utf8"));
    const file = (await readdir(folder)).find((each) => /^licen[cs]e/i.test(each));
    const text = file ? await readFile(folder + file, "utf8") : "";
    texts.push(`${library} ${said.version}, ${said.license}\n\n${text.trim()}\n`);
  }
  return texts.join(`\n${"-".repeat(72)}\n\n`);
}
