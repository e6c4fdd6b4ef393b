// `npm run check`: what has to hold before a change is pushed.
// @ts-check
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { aptInstall, aptOffers } from "./lib/apt.mjs";
import { build } from "./lib/modules.mjs";
import { nativeCargo, wasmToolchain } from "./lib/rust.mjs";
import { Refusal, root, run, step } from "./lib/steps.mjs";
import { test } from "./test.mjs";

// A module is fetched and compiled before its first answer.
const GZIP_LIMITS = {
  "build/edge/edgemint_bg.wasm": 400_000,
  // With the management API. It is not started before somebody asks for that, or an object is woken.
  "build/objects/edgemint_bg.wasm": 460_000,
  "build/browser/edgemint_bg.wasm": 60_000,
  "build/validator/validation_bg.wasm": 80_000,
};

export default async function main() {
  /** @type {string[]} */
  const failures = [];
  /** @param {string} name @param {() => Promise<unknown>} work */
  const check = async (name, work) => {
    try {
      await step(name, work);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      console.error(error.message);
      failures.push(name);
    }
  };
  const cargo = await nativeCargo();
  const lint = ["--", "-D", "warnings"];
  await check("format", () => run(cargo, ["fmt", "--all", "--check"], { show: true }));
  await check("types", () => run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", "jsconfig.json"], { show: true }));
  await check("clippy, native", () =>
    run(cargo, ["clippy", "--quiet", "--locked", "--package", "edgemint", "--all-targets", ...lint], { show: true }),
  );
  await check("clippy, example", () => run(cargo, ["clippy", "--quiet", "--locked", "--package", "axum-resource", ...lint], { show: true }));
  for (const feature of ["edge", "objects", "browser", "validator"]) {
    await check(`clippy, ${feature}`, () => clippyWasm(feature, lint));
  }
  await check("documentation", () =>
    run(cargo, ["doc", "--quiet", "--locked", "--package", "edgemint", "--no-deps"], {
      env: { RUSTDOCFLAGS: "-Dwarnings" },
      show: true,
    }),
  );
  await build();
  await check("sizes", sizes);
  if (!(await test())) failures.push("tests");
  console.log(failures.length ? `failed: ${failures.join(", ")}` : "all checks passed");
  process.exitCode = failures.length ? 1 : 0;
}

/** @param {string} feature @param {string[]} lint */
async function clippyWasm(feature, lint) {
  const toolchain = await wasmToolchain();
  // Release, because the build has already compiled the build scripts and macros that way.
  const args = ["clippy", "--quiet", "--locked", "--release", "--package", "edgemint", "--lib"];
  // The judge of the tests is compiled with that feature.
  if (feature === "browser") args.push("--example", "wycheproof_web");
  const target = ["--target", "wasm32-unknown-unknown", "--features", feature, ...toolchain.args];
  const env = { ...toolchain.env };
  let program = toolchain.cargo;
  if (toolchain.route === "debian") {
    program = "/usr/bin/cargo-clippy";
    // Called by its path: cargo would prefer a rustup's of the same name, of another version.
    env.CARGO = toolchain.cargo;
    if (!existsSync(program) && (await aptOffers("rust-web-clippy"))) await aptInstall("rust-web-clippy");
    if (!existsSync(program)) throw new Refusal("clippy for wasm32 is missing: `apt-get install rust-web-clippy` as root");
  }
  await run(program, [...args, ...target, ...lint], { env, show: true });
}

async function sizes() {
  const over = [];
  for (const [path, limit] of Object.entries(GZIP_LIMITS)) {
    const wasm = readFileSync(join(root, path));
    const gzip = gzipSync(wasm, { level: 9 }).length;
    console.log(`${path}: ${wasm.length} bytes, ${gzip} gzip, limit ${limit}`);
    if (gzip > limit) over.push(path);
  }
  if (over.length) throw new Refusal(`too large: ${over.join(", ")}`);
}
