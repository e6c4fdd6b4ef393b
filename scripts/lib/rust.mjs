// Finds, or installs, what compiles Rust natively and to wasm32.
// @ts-check
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { aptInstall, aptOffers } from "./apt.mjs";
import { Refusal, attempt, root, run, step } from "./steps.mjs";

const TARGET = "wasm32-unknown-unknown";
const REMEMBERED = join(root, ".cache/compiler.json");
// Where rustup cannot reach its host it waits for minutes instead of failing.
const RUSTUP_PATIENCE_MS = 20_000;
const LLVM_VERSIONS = [22, 21, 20, 19];
// A tenth of the module is what panics would say, and the library's own unwinding and printing: it is compiled without.
// All of this is unstable in the compiler, so what another release does not know is left out, and costs bytes alone.
const STD = ["-Zbuild-std=std,panic_abort", "-Zbuild-std-features=optimize_for_size"];
const SMALLER = ["-Cpanic=immediate-abort", "-Zfmt-debug=shallow"];

/**
 * How to call cargo for wasm32: the program, the arguments that follow `build` or `clippy`, and its environment.
 *
 * @typedef {{ route: string, cargo: string, args: string[], env: Record<string, string>, needs: string[] }} Toolchain
 */

/** @returns {Promise<string>} the cargo that compiles for this machine */
export async function nativeCargo() {
  const cargo = onPath("cargo") ?? ifExists("/usr/bin/cargo");
  if (cargo && !onPath("cc")) {
    if (!(await aptOffers("gcc", "libc6-dev"))) {
      throw new Refusal("a C compiler is missing: `apt-get install gcc libc6-dev` as root, or `xcode-select --install` on a Mac");
    }
    await step("C compiler", () => aptInstall("gcc", "libc6-dev"));
  }
  if (cargo) return cargo;
  if (await aptOffers("cargo-web", "rustc-web")) {
    await step("Rust", () => aptInstall("cargo-web", "rustc-web", "gcc", "libc6-dev"));
    return "/usr/bin/cargo";
  }
  throw new Refusal("cargo is missing: install Rust 1.91 or newer, as https://rustup.rs says");
}

/** @returns {Promise<Toolchain>} */
export async function wasmToolchain() {
  const known = remembered();
  if (known) return known;
  const cargo = await nativeCargo();
  const found =
    (await installedSources(cargo)) ?? (await debian(false)) ?? (await throughRustup(cargo)) ?? (await debian(true));
  if (!found) {
    throw new Refusal(
      "the sources of Rust's library are missing: run `rustup component add rust-src`, or on Debian, as root, " +
        `\`apt-get install ${debianPackages(LLVM_VERSIONS[0]).join(" ")}\``,
    );
  }
  mkdirSync(join(root, ".cache"), { recursive: true });
  writeFileSync(REMEMBERED, JSON.stringify(found, null, 2));
  return found;
}

/** @returns {Toolchain | null} the last choice, if everything it names is still there */
function remembered() {
  try {
    const known = /** @type {Toolchain} */ (JSON.parse(readFileSync(REMEMBERED, "utf8")));
    return known.needs.every((path) => existsSync(path)) ? known : null;
  } catch {
    return null;
  }
}

/** @param {string} cargo @returns {Promise<Toolchain | null>} */
async function installedSources(cargo) {
  const { code, output } = await attempt("rustc", ["--print", "sysroot"], { timeout: RUSTUP_PATIENCE_MS });
  if (code !== 0) return null;
  const library = join(output.trim(), "lib/rustlib/src/rust/library/std/Cargo.toml");
  if (!existsSync(library)) return null;
  const { clang, ar } = await cCompiler();
  const env = { CC_wasm32_unknown_unknown: clang, AR_wasm32_unknown_unknown: ar };
  return { route: "rustup", cargo, args: STD, env: { ...env, ...(await unstable("rustc")) }, needs: [cargo, library, clang, ar] };
}

/** @param {string} cargo @returns {Promise<Toolchain | null>} */
async function throughRustup(cargo) {
  if (!onPath("rustup")) return null;
  const { code } = await step("sources of Rust's library, from rustup", () =>
    attempt("rustup", ["component", "add", "rust-src"], { timeout: RUSTUP_PATIENCE_MS }),
  );
  return code === 0 ? installedSources(cargo) : null;
}

/**
 * The environment in which this compiler takes unstable flags, with those that it knows. The sources are its very own.
 *
 * @param {string} rustc
 * @returns {Promise<Record<string, string>>}
 */
async function unstable(rustc) {
  const env = { RUSTC_BOOTSTRAP: "1" };
  const known = ["-Zunstable-options"];
  for (const flag of SMALLER) {
    const { code } = await attempt(rustc, ["--print", "cfg", "--target", TARGET, ...known, flag], { env });
    if (code === 0) known.push(flag);
  }
  return { ...env, CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS: known.join(" ") };
}

/** @param {number} llvm */
function debianPackages(llvm) {
  return ["rustc-web", "cargo-web", "rust-web-src", `clang-${llvm}`, `lld-${llvm}`, `llvm-${llvm}`];
}

/**
 * Debian's compiler has no wasm32 library but comes with the library's exact sources, so cargo builds it.
 *
 * @param {boolean} install
 * @returns {Promise<Toolchain | null>}
 */
async function debian(install) {
  const present = () =>
    LLVM_VERSIONS.find((version) =>
      [`clang-${version}`, `wasm-ld-${version}`, `llvm-ar-${version}`].every((tool) => existsSync(`/usr/bin/${tool}`)),
    );
  const rust = ["/usr/bin/cargo", "/usr/bin/rustc", "/usr/lib/rustlib/src/rust/library/std/Cargo.toml"];
  const complete = () => (rust.every((path) => existsSync(path)) ? present() : undefined);
  if (!complete() && install) {
    for (const version of LLVM_VERSIONS) {
      const packages = debianPackages(version);
      if (!(await aptOffers(...packages))) continue;
      await step("wasm32 compiler, from Debian", () => aptInstall(...packages));
      break;
    }
  }
  const llvm = complete();
  if (!llvm) return null;
  const tool = (/** @type {string} */ name) => `/usr/bin/${name}-${llvm}`;
  return {
    route: "debian",
    cargo: "/usr/bin/cargo",
    args: STD,
    env: {
      RUSTC: "/usr/bin/rustc",
      RUSTDOC: "/usr/bin/rustdoc",
      ...(await unstable("/usr/bin/rustc")),
      CC_wasm32_unknown_unknown: tool("clang"),
      AR_wasm32_unknown_unknown: tool("llvm-ar"),
      CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER: tool("wasm-ld"),
    },
    needs: [...rust, tool("clang"), tool("llvm-ar"), tool("wasm-ld")],
  };
}

/**
 * `ring` compiles C for wasm32.
 *
 * @returns {Promise<{ clang: string, ar: string }>}
 */
async function cCompiler() {
  const found = await findCCompiler();
  if (found) return found;
  for (const version of LLVM_VERSIONS) {
    if (!(await aptOffers(`clang-${version}`, `llvm-${version}`))) continue;
    await step("clang, from Debian", () => aptInstall(`clang-${version}`, `llvm-${version}`));
    const installed = await findCCompiler();
    if (installed) return installed;
  }
  throw new Refusal(
    "a clang with a wasm32 target is missing: `apt-get install clang llvm` as root, or `brew install llvm` on a Mac",
  );
}

async function findCCompiler() {
  const kegs = ["/opt/homebrew/opt/llvm/bin", "/usr/local/opt/llvm/bin"];
  const suffixes = ["", ...LLVM_VERSIONS.map((version) => `-${version}`), "-18", "-17", "-16", "-15", "-14"];
  for (const suffix of suffixes) {
    for (const folder of [...kegs, undefined]) {
      const clang = folder ? ifExists(join(folder, `clang${suffix}`)) : onPath(`clang${suffix}`);
      const ar = folder ? ifExists(join(folder, `llvm-ar${suffix}`)) : onPath(`llvm-ar${suffix}`);
      if (!clang || !ar) continue;
      const { output } = await attempt(clang, ["--print-targets"]);
      if (output.includes("wasm32")) return { clang, ar };
    }
  }
  return null;
}

/** @param {string} program */
export function onPath(program) {
  return (process.env.PATH ?? "")
    .split(delimiter)
    .filter(Boolean)
    .map((folder) => join(folder, program))
    .find((path) => existsSync(path));
}

/** @param {string} path */
function ifExists(path) {
  return existsSync(path) ? path : undefined;
}
