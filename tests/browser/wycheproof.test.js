// @ts-check
// Wycheproof with WebCrypto below, in Node and in workerd. The judge is `tests/wycheproof_support`, compiled with our own
// checks and verifier; with ring below it is `tests/jose_wycheproof.rs`.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Miniflare } from "miniflare";
import { root } from "../../scripts/lib/steps.mjs";
import { wranglerConfig } from "../../scripts/server.mjs";

const built = join(root, "build/judge");
const judge = await import(join(built, "judge.js"));
judge.initSync({ module: readFileSync(join(built, "judge_bg.wasm")) });

/** @type {string[]} */
const SUITES = judge.suites();
const WORKER = `
  import module from "./judge_bg.wasm";
  import { initSync, judge } from "./judge.js";
  initSync({ module });
  export default {
    fetch: async (request) => Response.json(await judge(await request.text(), "workerd")),
  };`;

test("there are suites to be judged by", () => {
  assert.equal(SUITES.length, 6);
});

describe("Wycheproof in Node", () => {
  for (const suite of SUITES) {
    test(suite, async () => {
      assertAgreed(await judge.judge(suite, "node"));
    });
  }
});

describe("Wycheproof in workerd", () => {
  /** @type {Miniflare} */
  let mf;
  before(() => {
    mf = new Miniflare({
      modulesRoot: built,
      modules: [
        { type: "ESModule", path: join(built, "entry.js"), contents: WORKER },
        { type: "ESModule", path: join(built, "judge.js") },
        { type: "CompiledWasm", path: join(built, "judge_bg.wasm") },
      ],
      compatibilityDate: wranglerConfig().compatibility_date,
      cf: false,
    });
  });
  after(() => mf.dispose());

  for (const suite of SUITES) {
    test(suite, async () => {
      const answer = await mf.dispatchFetch("http://worker/", { method: "POST", body: suite });
      assertAgreed(/** @type {string[]} */ (await answer.json()));
    });
  }
});

/** @param {string[]} lines */
function assertAgreed([counted, ...wrong]) {
  assert.match(counted, /^[1-9]\d+ cases, \d+ exceptions$/);
  assert.deepEqual(wrong, []);
}
