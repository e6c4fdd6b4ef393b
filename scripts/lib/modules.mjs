// Compiles the two wasm modules: `build/edge` for workerd, `build/browser` for everybody else.
// @ts-check
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { nativeCargo, wasmToolchain } from "./rust.mjs";
import { attempt, Refusal, root, run, step } from "./steps.mjs";

const STAMPS = join(root, ".cache/built.json");
// Beside the Rust, but not compiled with it.
const JAVASCRIPT = /^src\/([^/]+\.js|browser\/package)$/;
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

/** @typedef {"edge" | "browser"} Module */

/**
 * Builds what is out of date.
 *
 * @param {Module[]} [modules]
 * @returns {Promise<Module[]>} those that were built
 */
export async function build(modules = ["edge", "browser"]) {
  const stamps = readStamps();
  const inputs = fingerprint(["Cargo.toml", "Cargo.lock", "src", "scripts/bindgen", "scripts/lib/modules.mjs"]);
  const stale = modules.filter((module) => stamps[module] !== inputs || !existsSync(join(root, outputs[module])));
  for (const module of stale) {
    await buildModule(module);
    writeStamps({ ...readStamps(), [module]: inputs });
  }
  if (modules.includes("browser")) packBrowser();
  return stale;
}

const outputs = { edge: "build/edge/edgemint_bg.wasm", browser: "build/browser/edgemint_bg.wasm" };

/** @param {Module} module */
async function buildModule(module) {
  const toolchain = await wasmToolchain();
  const bindgen = await bindgenDriver();
  const directory = join(root, "build", module);
  await step(module === "edge" ? "worker module" : "browser module", async () => {
    await cargo(toolchain.cargo, [
      ...["build", "--release", "--locked", "--package", "edgemint", "--lib"],
      ...["--target", "wasm32-unknown-unknown", "--features", module, ...toolchain.args],
    ], toolchain.env);
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { recursive: true });
    const compiled = join(root, "target/wasm32-unknown-unknown/release/edgemint.wasm");
    // The worker is reset after a trap; a browser reloads.
    await run(bindgen, [compiled, directory, "edgemint", ...(module === "edge" ? ["--reset-state"] : [])]);
    const wasm = join(root, outputs[module]);
    const features = WASM_FEATURES.map((name) => `--enable-${name}`);
    await run(process.execPath, [join(root, "node_modules/binaryen/bin/wasm-opt"), "-Os", ...features, wasm, "-o", wasm]);
  });
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
  if (existsSync(handwritten)) cpSync(handwritten, built, { recursive: true });
  const served = join(root, "www/pkg");
  rmSync(served, { recursive: true, force: true });
  cpSync(built, served, { recursive: true });
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
    .filter((entry) => !JAVASCRIPT.test(relative(root, join(path, entry.name))))
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
