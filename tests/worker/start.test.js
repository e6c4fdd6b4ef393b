// The run contract of `npm start`.
// @ts-check
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../../scripts/lib/steps.mjs";

const ADMINISTRATOR = { ADMIN_USERNAME: "root-admin", ADMIN_PASSWORD: "correct horse battery staple" };

test("the first run names its administrator, the second does not, and both stop when told to", async (t) => {
  const state = folder(t);
  const first = start(t, { STATE_DIR: state, PORT: "0", ...ADMINISTRATOR });
  const ready = await first.until(/^password: .*$/m);
  const [, issuer] = /** @type {RegExpExecArray} */ (/^issuer: (http:\/\/127\.0\.0\.1:\d+)$/m.exec(ready));
  assert.match(ready, new RegExp(`^demo: ${issuer}/$`, "m"));
  assert.match(ready, /^administrator: root-admin$/m);
  assert.match(ready, /^password: correct horse battery staple$/m);
  const health = await fetch(`${issuer}/health`);
  assert.equal(health.status, 200);
  await health.text();
  assert.equal(await first.stop(), 0);

  const second = start(t, { STATE_DIR: state, PORT: "0", ...ADMINISTRATOR });
  await second.until(/^demo: .*$/m);
  assert.equal(await second.stop(), 0);
  assert.doesNotMatch(second.output(), /password|administrator/);
});

test("the root secret is readable by its owner only", async (t) => {
  const state = folder(t);
  const run = start(t, { STATE_DIR: state, PORT: "0" });
  await run.until(/^demo: /m);
  await run.stop();
  assert.equal(statSync(join(state, "secrets.json")).mode & 0o777, 0o600);
});

test("a short bootstrap token is refused in one line", async (t) => {
  const run = start(t, { STATE_DIR: folder(t), PORT: "0", BOOTSTRAP_TOKEN: "x".repeat(31) });
  assert.equal(await run.ended, 1);
  assert.match(run.output(), /^edgemint: BOOTSTRAP_TOKEN has fewer than 32 characters\n$/);
});

test("a taken port is named in one line", async (t) => {
  const other = createServer().listen(0, "127.0.0.1");
  t.after(() => other.close());
  await new Promise((listening) => other.once("listening", listening));
  const { port } = /** @type {import("node:net").AddressInfo} */ (other.address());
  const run = start(t, { STATE_DIR: folder(t), PORT: String(port) });
  assert.equal(await run.ended, 1);
  assert.match(run.output(), new RegExp(`^edgemint: port ${port} is taken: .*\n$`));
});

/** @param {import("node:test").TestContext} t */
function folder(t) {
  const path = mkdtempSync(join(tmpdir(), "edgemint-state-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** @param {import("node:test").TestContext} t @param {Record<string, string>} env */
function start(t, env) {
  const child = spawn(process.execPath, ["scripts/run.mjs", "start"], { cwd: root, env: { ...process.env, ...env } });
  t.after(() => child.kill("SIGKILL"));
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (chunk) => (output += chunk));
  /** @type {Promise<number | null>} */
  const ended = new Promise((resolve) => child.once("close", resolve));
  return {
    ended,
    output: () => output,
    stop: () => {
      child.kill("SIGTERM");
      return ended;
    },
    /** @param {RegExp} pattern @returns {Promise<string>} */
    until: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => pattern.test(output) && resolve(output);
        for (const stream of [child.stdout, child.stderr]) stream.on("data", look);
        look();
        child.once("close", () => reject(new Error(`it ended: ${output}`)));
      }),
  };
}
