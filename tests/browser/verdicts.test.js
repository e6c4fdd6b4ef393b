// @ts-check
// One file of verdicts, one core: a browser and a Worker say what ring and Node say.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { Miniflare } from "miniflare";
import { launchBrowser } from "../../scripts/browser.mjs";
import { root } from "../../scripts/lib/steps.mjs";
import { serve } from "../worker/support.js";

const vectors = JSON.parse(readFileSync(join(root, "tests/vectors/verdicts.json"), "utf8"));
const wanted = vectors.cases.map((/** @type {any} */ { name, verdict }) => `${name}: ${verdict}`);

/** Runs in the browser and in the Worker alike, so it uses nothing but its arguments. */
const judge = async (/** @type {any} */ edgemint, /** @type {any} */ { key_sets, cases }) => {
  const verdicts = [];
  for (const { name, call, token, keys, expected } of cases) {
    const verdict = await edgemint[call](token, key_sets[keys], expected).then(
      () => "accepted",
      (/** @type {any} */ refusal) => refusal.code ?? String(refusal),
    );
    verdicts.push(`${name}: ${verdict}`);
  }
  return verdicts;
};

describe("verdicts", () => {
  test("of the package in a browser", async () => {
    const server = await serve({ assets: true });
    const chromium = await launchBrowser();
    try {
      const page = await chromium.newPage();
      await page.goto(server.url);
      const said = await page.evaluate(`import("/pkg/index.js").then((edgemint) => (${judge})(edgemint, ${JSON.stringify(vectors)}))`);
      assert.deepEqual(said, wanted);
    } finally {
      await chromium.close();
      await server.stop();
    }
  });

  test("of the package in a Worker", async () => {
    const built = join(root, "build/browser");
    const entry = `
      import * as edgemint from "./workerd.js";
      const judge = ${judge};
      export default {
        fetch: async (request) => Response.json(await judge(edgemint, await request.json())),
      };`;
    const others = ["workerd.js", "calls.js", "edgemint.js"];
    const mf = new Miniflare({
      modulesRoot: built,
      modules: [
        { type: "ESModule", path: join(built, "entry.js"), contents: entry },
        ...others.map((name) => /** @type {const} */ ({ type: "ESModule", path: join(built, name) })),
        { type: "CompiledWasm", path: join(built, "edgemint_bg.wasm") },
      ],
      compatibilityDate: "2026-05-03",
      cf: false,
    });
    try {
      const answer = await mf.dispatchFetch("http://worker/", { method: "POST", body: JSON.stringify(vectors) });
      assert.deepEqual(await answer.json(), wanted);
    } finally {
      await mf.dispose();
    }
  });
});
