// What gets published is what runs here.
// @ts-check
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../../scripts/lib/steps.mjs";
import { wranglerConfig } from "../../scripts/server.mjs";

test("wrangler bundles the worker and finds its bindings, offline", (t) => {
  const bundle = mkdtempSync(join(tmpdir(), "edgemint-deploy-"));
  t.after(() => rmSync(bundle, { recursive: true }));
  const wrangler = join(root, "node_modules/wrangler/bin/wrangler.js");
  const { status, stdout, stderr } = spawnSync(process.execPath, [wrangler, "deploy", "--dry-run", "--outdir", bundle], {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, WRANGLER_SEND_METRICS: "false", NO_COLOR: "1" },
  });
  assert.equal(status, 0, stdout + stderr);
  const config = wranglerConfig();
  const names = [...config.kv_namespaces.map(({ binding }) => binding), ...config.durable_objects.bindings.map(({ name }) => name)];
  for (const name of names) assert.match(stdout, new RegExp(`env\\.${name} `));
  assert.ok(readdirSync(bundle).some((name) => name.endsWith(".wasm")));
});
