// `npm run fuzz`: every parser under libFuzzer, for an hour. `-- --seconds N [TARGET …]` for another time and some
// targets, `-- TARGET FILE` once more on one input, `-- --http N [--seed S]` for random requests to a running worker.
// @ts-check
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { aptInstall, aptOffers } from "./lib/apt.mjs";
import { build } from "./lib/modules.mjs";
import { nativeCargo, onPath } from "./lib/rust.mjs";
import { Refusal, attempt, root, run, step } from "./lib/steps.mjs";

const SEEDS = join(root, "tests/fuzz/seeds");
const WORDS = join(root, "tests/fuzz/words.dict");
const CACHE = join(root, ".cache/fuzz");
const HOUR = 3600;
/** Where `npm test` begins, so that two runs of it try much the same. */
export const SEED = 20_260_801;
// What `cargo fuzz` passes, without a sanitizer: those need a nightly compiler, and there is no unsafe code to watch.
const COVERAGE = [
  "-Cpasses=sancov-module",
  "-Cllvm-args=-sanitizer-coverage-level=4",
  "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
  "-Cllvm-args=-sanitizer-coverage-pc-table",
  "-Cllvm-args=-sanitizer-coverage-trace-compares",
];
// An input that takes as long, or as much, is a finding. A form may be 64 KiB; more than 4 KiB finds nothing new.
const LIMITS = ["-timeout=10", "-rss_limit_mb=2048", "-max_len=4096"];

/** @typedef {import("./test.mjs").Counts} Counts */

/** @param {string[]} args */
export default async function main(args) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { seconds: { type: "string" }, seed: { type: "string" }, http: { type: "string" } },
  });
  const seed = values.seed === undefined ? Date.now() % 2 ** 31 : number("--seed", values.seed);
  if (values.http !== undefined) {
    await build(["edge"]);
    const { barrage } = await import("../tests/fuzz/barrage.js");
    await barrage({ requests: number("--http", values.http), seed, log: console.log });
    return;
  }
  const [target, ...inputs] = positionals;
  if (inputs.length > 0 && inputs.every((path) => existsSync(path))) {
    process.exitCode = (await again(target, inputs)) ? 0 : 1;
    return;
  }
  const seconds = values.seconds === undefined ? HOUR : number("--seconds", values.seconds);
  const { failed } = await fuzz({ seconds, seed, targets: positionals.length ? positionals : targets(), keep: true });
  process.exitCode = failed ? 1 : 0;
}

/** @param {string} option @param {string} text */
function number(option, text) {
  if (!/^[1-9]\d*$/.test(text)) throw new Refusal(`${option} takes a number`);
  return Number(text);
}

/** Each has a folder of seeds. */
export function targets() {
  return readdirSync(SEEDS).sort();
}

/**
 * Runs the targets for so many seconds in all, as many at once as there are cores.
 *
 * @param {object} options
 * @param {number} options.seconds
 * @param {number} options.seed
 * @param {string[]} options.targets
 * @param {boolean} [options.keep] whether what reached new code is kept for the next time
 * @returns {Promise<Counts>} of targets
 */
export async function fuzz({ seconds, seed, targets, keep = false }) {
  const unknown = targets.filter((target) => !existsSync(join(SEEDS, target)));
  if (unknown.length > 0) throw new Refusal(`there is no fuzz target ${unknown.join(", ")}; they are in tests/fuzz/seeds`);
  const program = await compile();
  const lanes = Math.min(availableParallelism(), targets.length);
  const share = Math.max(1, Math.floor((seconds * lanes) / targets.length));
  console.log(`fuzz: ${targets.length} targets, ${share} s each, ${lanes} at a time, seed ${seed}`);
  const waiting = [...targets.entries()];
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const lane = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [index, target] = next;
      const passed = await runTarget(program, target, share, seed + index, keep);
      counts[passed ? "passed" : "failed"] += 1;
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return counts;
}

/** @returns {Promise<string>} the path of the program that has every target */
async function compile() {
  const cargo = await nativeCargo();
  if (!onPath("c++")) {
    if (!(await aptOffers("g++"))) throw new Refusal("a C++ compiler is missing: `apt-get install g++` as root");
    await step("C++ compiler", () => aptInstall("g++"));
  }
  const host = /^host: (.*)$/m.exec(await run("rustc", ["-vV"]))?.[1];
  if (!host) throw new Refusal("rustc does not say what machine this is");
  // Apart from the other builds, which these flags would invalidate; with a target they are not for build scripts.
  const folder = join(root, "target/fuzz");
  await step("fuzz targets", () =>
    run(cargo, ["build", "--quiet", "--locked", "--package", "edgemint-fuzz", "--profile", "fuzz", "--target", host, "--target-dir", folder], {
      env: { RUSTFLAGS: COVERAGE.join(" ") },
    }),
  );
  return join(folder, host, "fuzz/fuzz");
}

/**
 * @param {string} program
 * @param {string} target
 * @param {number} seconds
 * @param {number} seed
 * @param {boolean} keep
 * @returns {Promise<boolean>} whether it found nothing
 */
async function runTarget(program, target, seconds, seed, keep) {
  const corpus = join(CACHE, keep ? "corpus" : "slice", target);
  const found = join(CACHE, "found");
  if (!keep) rmSync(corpus, { recursive: true, force: true });
  for (const folder of [corpus, found]) mkdirSync(folder, { recursive: true });
  const prefix = join(found, `${target}-`);
  const args = [`-max_total_time=${seconds}`, `-seed=${seed}`, `-artifact_prefix=${prefix}`, `-dict=${WORDS}`, ...LIMITS];
  const { code, output } = await spawned(program, [...args, corpus, join(SEEDS, target)], target, (seconds + 120) * 1000);
  const done = /^Done (\d+) runs/m.exec(output)?.[1];
  if (code === 0 && done !== undefined) {
    console.log(`✔ fuzz ${target}: ${done} inputs`);
    return true;
  }
  const path = /Test unit written to (.*)$/m.exec(output)?.[1];
  console.log(output.split("\n").slice(-60).join("\n"));
  console.log(`✖ fuzz ${target}, seed ${seed}`);
  if (path) console.log(`  on ${relative(root, path)}; again: npm run fuzz -- ${target} ${relative(root, path)}`);
  return false;
}

/** @param {string} target @param {string[]} inputs */
async function again(target, inputs) {
  const program = await compile();
  const { code, output } = await spawned(program, [...LIMITS, ...inputs.map((path) => resolve(path))], target, HOUR * 1000);
  console.log(output);
  return code === 0;
}

/**
 * @param {string} program
 * @param {string[]} args
 * @param {string} target
 * @param {number} timeout
 */
function spawned(program, args, target, timeout) {
  return attempt(program, args, { env: { EDGEMINT_FUZZ: target, RUST_BACKTRACE: "0" }, timeout });
}
