// Compiles the wasm modules: `build/edge` and `build/objects` for workerd, `build/browser` for everybody else, with `build/validator` for resources. Another one,
// `build/judge`, is for the tests alone. What is said of the API is compiled natively, and the module has none of it: `build/openapi.json`.
// @ts-check
import { createHash } from "node:crypto";
import { appendFileSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { nativeCargo, wasmToolchain } from "./rust.mjs";
import { attempt, Refusal, root, run, step } from "./steps.mjs";

const STAMPS = join(root, ".cache/built.json");
// Beside the Rust, but not compiled for wasm.
const NATIVE = ["src/openapi", "scripts/openapi.rs"];
const ELSEWHERE = /^src\/([^/]+\.(js|json|d\.ts)|browser\/package|openapi)$/;
// Of Swagger UI: all that a page needs, and whose it is.
const VIEWER = ["swagger-ui-bundle.js", "swagger-ui-bundle.js.LICENSE.txt", "swagger-ui.css", "LICENSE", "NOTICE"];
const JUDGE_SOURCES = ["tests/wycheproof_support", "tests/vectors/wycheproof", "tests/vectors/exceptions.json"];
// Never --all-features: an older workerd refuses the import encoding that then gets used.
const WASM_FEATURES = [
  "bulk-memory",
  "bulk-memory-opt",
  "sign-ext",
  "nontrapping-float-to-int",
  "mutable-globals",
  "reference-types",
  "multivalue",
];

/** @typedef {"edge" | "objects" | "browser" | "validator" | "judge" | "openapi" | "axum"} Module */

/**
 * Builds what is out of date.
 *
 * @param {Module[]} [modules]
 * @returns {Promise<Module[]>} those that were built
 */
export async function build(modules = ["edge", "browser"]) {
  // One package has both.
  if (modules.includes("browser")) modules = [...modules, "validator"];
  // One Worker has all of it.
  if (modules.includes("edge")) modules = [...modules, "objects", "openapi"];
  const stamps = readStamps();
  const sources = ["Cargo.toml", "Cargo.lock", "src", "scripts/bindgen", "scripts/lib/modules.mjs"];
  const more = { edge: [], objects: [], browser: [], validator: [], judge: JUDGE_SOURCES, openapi: NATIVE, axum: ["examples/axum"] };
  const inputs = (/** @type {Module} */ module) => fingerprint([...sources, ...more[module]]);
  const stale = modules.filter((module) => stamps[module] !== inputs(module) || !existsSync(join(root, outputs[module])));
  for (const module of stale) {
    await (module === "judge" ? buildJudge() : module === "openapi" ? describe() : module === "axum" ? buildExample() : buildModule(module));
    writeStamps({ ...readStamps(), [module]: inputs(module) });
  }
  if (modules.includes("browser")) packBrowser();
  if (modules.includes("openapi")) packViewer();
  return stale;
}

const outputs = {
  edge: "build/edge/edgemint_bg.wasm",
  objects: "build/objects/edgemint_bg.wasm",
  browser: "build/browser/edgemint_bg.wasm",
  validator: "build/validator/validation_bg.wasm",
  judge: "build/judge/judge_bg.wasm",
  openapi: "build/openapi.json",
  axum: "target/tool/axum-resource",
};

const NAMES = { edge: "worker module", objects: "module of the objects", browser: "browser module", validator: "validator module" };

/** @param {"edge" | "objects" | "browser" | "validator"} module */
async function buildModule(module) {
  const toolchain = await wasmToolchain();
  const bindgen = await bindgenDriver();
  await step(NAMES[module], async () => {
    const compiled = await compile(toolchain, module, ["--lib"], "edgemint.wasm");
    // Those of the worker are reset after a trap; a browser reloads.
    await run(bindgen, [compiled, emptied(module), module === "validator" ? "validation" : "edgemint", ...(["edge", "objects"].includes(module) ? ["--reset-state"] : [])]);
    if (module === "edge") encodeAtOnce(join(root, "build/edge/edgemint.js"));
    const wasm = join(root, outputs[module]);
    await withhold(wasm);
    const features = WASM_FEATURES.map((name) => `--enable-${name}`);
    // The lowest addresses are the far end of the stack: nothing is kept there. What has one caller stays where it is:
    // in one huge function with a thousand locals everything is spelt differently, and gzip finds a tenth less.
    const inlining = ["--one-caller-inline-max-function-size=0"];
    const stripping = ["--strip-producers", "--strip-target-features"];
    const options = ["-Os", "--converge", "--low-memory-unused", ...inlining, ...stripping, ...features];
    await run(process.execPath, [join(root, "node_modules/binaryen/bin/wasm-opt"), ...options, wasm, "-o", wasm]);
    if (["edge", "objects"].includes(module)) appendFileSync(wasm, named(module));
  });
}

/**
 * Has the platform's encoder write a question into the module's memory: wasm-bindgen does it character by character, for engines
 * where calling the encoder is slow, and in workerd that takes a tenth of the core's time.
 *
 * @param {string} glue the JavaScript beside the module
 */
function encodeAtOnce(glue) {
  const text = readFileSync(glue, "utf8");
  const loop = /    let offset = 0;\n\n    for \(; offset < len; offset\+\+\) \{\n[^}]*\n    \}\n    if \(offset !== len\) \{\n        if \(offset !== 0\) \{\n            arg = arg\.slice\(offset\);\n        \}\n/;
  const atOnce = `    const { read, written } = cachedTextEncoder.encodeInto(arg, mem.subarray(ptr, ptr + len));
    let offset = written;
    if (read !== len) {
        arg = arg.slice(read);
`;
  if (!loop.test(text)) throw new Refusal("wasm-bindgen passes texts in another way than this build knows: look at passStringToWasm0 in build/edge/edgemint.js");
  writeFileSync(glue, text.replace(loop, atOnce));
}

/**
 * Takes away what crates export and nobody calls: classes of the platform's crate for streams and for what we do not
 * bind, and ring's own names. Whatever they alone need is then left out, a hundredth of the module.
 *
 * @param {string} wasm
 */
async function withhold(wasm) {
  const { default: binaryen } = await import("binaryen");
  const module = binaryen.readBinary(readFileSync(wasm));
  const unused = /^(__wbg_(get_|set_)?(containerstartupoptions|minifyconfig|r2range|intounderlying)|intounderlying|ring_core_)/;
  const names = Array.from({ length: module.getNumExports() }, (_, at) => binaryen.getExportInfo(module.getExportByIndex(at)).name);
  for (const name of names) if (unused.test(name)) module.removeExport(name);
  writeFileSync(wasm, module.emitBinary());
  module.dispose();
}

/**
 * The section that says what a module is called (WebAssembly, Appendix, Name Section), and nothing else: V8 has it in the
 * trace of a trap, so that `src/watched.js` sees which module of the Worker it was.
 *
 * @param {string} name
 */
function named(name) {
  const sized = (/** @type {Buffer} */ bytes) => Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const subsection = sized(sized(Buffer.from(name)));
  return Buffer.concat([Buffer.from([0]), sized(Buffer.concat([sized(Buffer.from("name")), Buffer.from([0]), subsection]))]);
}

/** Compiled as the browser module is, so that little is compiled twice, and never shipped. */
async function buildJudge() {
  const toolchain = await wasmToolchain();
  const bindgen = await bindgenDriver();
  await step("judge module", async () => {
    const compiled = await compile(toolchain, "browser", ["--example", "wycheproof_web"], "examples/wycheproof_web.wasm");
    await run(bindgen, [compiled, emptied("judge"), "judge"]);
  });
}

/** A resource in Rust, for its test alone. */
async function buildExample() {
  const program = await nativeCargo();
  await step("the example for axum", () => cargo(program, ["build", "--profile", "tool", "--locked", "--package", "axum-resource"]));
}

/** Has the tables of the API describe themselves. */
async function describe() {
  const program = await nativeCargo();
  await step("description of the API", async () => {
    await cargo(program, ["build", "--profile", "tool", "--locked", "--package", "edgemint", "--example", "openapi"]);
    const text = await run(join(root, "target/tool/examples/openapi"), []);
    mkdirSync(join(root, "build"), { recursive: true });
    writeFileSync(join(root, outputs.openapi), text);
  });
}

/**
 * @param {import("./rust.mjs").Toolchain} toolchain
 * @param {string} feature
 * @param {string[]} target
 * @param {string} output
 * @returns {Promise<string>} the path of the compiled module
 */
async function compile(toolchain, feature, target, output) {
  // What every request passes through may be a tenth larger for being a fifth quicker; nothing else is that often called.
  /** @type {Record<string, string>} */
  const quicker = feature === "edge" ? { CARGO_PROFILE_RELEASE_OPT_LEVEL: "s" } : {};
  // A resource opens a token or two for a request, and reads JSON of a kilobyte.
  const smaller = feature === "validator" ? ["base64", "serde_json"].flatMap((name) => ["--config", `profile.release.package.${name}.opt-level="z"`]) : [];
  await cargo(toolchain.cargo, [
    ...["build", "--release", "--locked", "--package", "edgemint", ...target, ...smaller],
    ...["--target", "wasm32-unknown-unknown", "--features", feature, ...toolchain.args],
  ], { ...toolchain.env, ...quicker });
  return join(root, "target/wasm32-unknown-unknown/release", output);
}

/** @param {Module} module @returns {string} where its files go, with nothing there yet */
function emptied(module) {
  const directory = join(root, "build", module);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  return directory;
}

/** @returns {Promise<string>} the path of our wasm-bindgen driver */
async function bindgenDriver() {
  const path = join(root, "target/tool/bindgen");
  const stamps = readStamps();
  const inputs = fingerprint(["Cargo.lock", "scripts/bindgen"]);
  if (stamps.bindgen === inputs && existsSync(path)) return path;
  const program = await nativeCargo();
  await step("wasm-bindgen", () => cargo(program, ["build", "--profile", "tool", "--locked", "--package", "bindgen"]));
  writeStamps({ ...readStamps(), bindgen: inputs });
  return path;
}

/**
 * Cargo's own progress is noise, its errors are not.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {Record<string, string>} [env]
 */
async function cargo(program, args, env) {
  const { code, output } = await attempt(program, [...args, "--quiet", "--target-dir", join(root, "target")], { env });
  if (output) process.stderr.write(output);
  if (code !== 0) throw new Refusal(`cargo ${args[0]} failed`);
}

/** Adds the hand-written part of the npm package, and gives the demo its copy. */
function packBrowser() {
  const built = join(root, "build/browser");
  const handwritten = join(root, "src/browser/package");
  cpSync(join(root, "build/validator"), built, { recursive: true });
  if (existsSync(handwritten)) cpSync(handwritten, built, { recursive: true });
  const served = join(root, "www/pkg");
  rmSync(served, { recursive: true, force: true });
  cpSync(built, served, { recursive: true });
}

/** The viewer of the description, from its package. */
function packViewer() {
  const served = join(root, "www/docs/swagger-ui");
  rmSync(served, { recursive: true, force: true });
  for (const name of VIEWER) cpSync(join(root, "node_modules/swagger-ui-dist", name), join(served, name));
}

/**
 * Contents, not times, so that a checkout back and forth builds nothing.
 *
 * @param {string[]} paths
 */
export function fingerprint(paths) {
  const hash = createHash("sha256");
  for (const path of paths.flatMap((name) => files(join(root, name)))) {
    hash.update(relative(root, path)).update("\0").update(readFileSync(path)).update("\0");
  }
  return hash.digest("hex");
}

/** @param {string} path @returns {string[]} what cargo may read below it */
function files(path) {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found?.isDirectory()) return found ? [path] : [];
  return readdirSync(path, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .filter((entry) => !ELSEWHERE.test(relative(root, join(path, entry.name))))
    .flatMap((entry) => (entry.isDirectory() ? files(join(path, entry.name)) : [join(path, entry.name)]));
}

/** @returns {Record<string, string>} */
function readStamps() {
  try {
    return JSON.parse(readFileSync(STAMPS, "utf8"));
  } catch {
    return {};
  }
}

/** @param {Record<string, string>} stamps */
function writeStamps(stamps) {
  mkdirSync(join(root, ".cache"), { recursive: true });
  writeFileSync(STAMPS, JSON.stringify(stamps, null, 2));
}
