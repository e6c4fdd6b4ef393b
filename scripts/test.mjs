// `npm test`: Rust natively, a minute of fuzzing, then the worker, the shim and the demo as their users meet them.
// `npm test -- FILE …` runs those files of the third kind only.
// @ts-check
import { spawn } from "node:child_process";
import { globSync } from "node:fs";
import { join, resolve } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { browserPath } from "./browser.mjs";
import { SEED, fuzz, targets } from "./fuzz.mjs";
import { build } from "./lib/modules.mjs";
import { nativeCargo } from "./lib/rust.mjs";
import { root } from "./lib/steps.mjs";
import { schemathesis } from "./schemathesis.mjs";

// A file that hangs fails, long after the slowest one is done.
const FILE_TIMEOUT_MS = 600_000;
// Enough for a mistake in what was just changed; `npm run fuzz` has an hour.
const FUZZ_SECONDS = 60;

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

/** @param {string[]} named */
export default async function main(named) {
  process.exitCode = (await test(named)) ? 0 : 1;
}

/** @param {string[]} [named] @returns {Promise<boolean>} */
export async function test(named = []) {
  const files = named.length
    ? named.map((path) => resolve(root, path))
    : globSync(["tests/worker/*.test.js", "tests/conformance/*.test.js", "tests/shim/*.test.js", "tests/browser/*.test.js"], { cwd: root })
        .sort()
        .map((path) => join(root, path));
  const counts = [];
  if (named.length === 0) {
    counts.push(await testRust([]));
    // What only the modules have, and no platform is needed for.
    counts.push(await testRust(["--lib", "--features", "edge,objects,browser", "--", "edge::", "browser::"]));
    counts.push(await fuzz({ seconds: FUZZ_SECONDS, seed: SEED, targets: targets() }));
  }
  await build();
  if (files.some((path) => path.endsWith("wycheproof.test.js"))) await build(["judge"]);
  if (files.some((path) => path.endsWith("axum.test.js"))) await build(["axum"]);
  if (files.some((path) => path.endsWith("openapi.test.js"))) await schemathesis();
  if (files.some((path) => path.includes("/browser/"))) process.env.CHROMIUM = await browserPath();
  if (files.length > 0) counts.push(await testFiles(files));
  const sum = counts.reduce((a, b) => ({
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: a.skipped + b.skipped,
  }));
  console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
  return sum.failed === 0;
}

/** @param {string[]} which @returns {Promise<Counts>} */
async function testRust(which) {
  const cargo = await nativeCargo();
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const child = spawn(cargo, ["test", "--locked", "--package", "edgemint", "--no-fail-fast", ...which], {
    cwd: root,
    env: { ...process.env, CARGO_TERM_COLOR: process.stdout.isTTY ? "always" : "never" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (chunk) => {
    output += chunk;
    process.stdout.write(chunk);
  });
  const code = await new Promise((done) => child.on("close", done).on("error", () => done(1)));
  for (const [, passed, failed, ignored] of output.matchAll(/^test result: .* (\d+) passed; (\d+) failed; (\d+) ignored/gm)) {
    counts.passed += Number(passed);
    counts.failed += Number(failed);
    counts.skipped += Number(ignored);
  }
  // What did not even compile, or died, has no result line.
  if (code !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

/** @param {string[]} files @returns {Promise<Counts>} */
function testFiles(files) {
  return new Promise((done, fail) => {
    const events = run({ files, cwd: root, timeout: FILE_TIMEOUT_MS });
    /** @type {Counts} */
    let counts = { passed: 0, failed: files.length, skipped: 0 };
    events.on("test:summary", ({ file, counts: found }) => {
      if (file !== undefined) return;
      const failed = found.tests - found.passed - found.skipped - found.todo;
      counts = { passed: found.passed, failed, skipped: found.skipped + found.todo };
    });
    const report = events.compose(new spec());
    report.on("error", fail);
    report.on("end", () => done(counts));
    report.pipe(process.stdout, { end: false });
  });
}
