// @ts-check
// A name that is none is found where it is written, not by whoever calls first.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

test("the Worker's JavaScript has the types it says it has", () => {
  const root = new URL("../../", import.meta.url).pathname;
  const { status, stdout } = spawnSync(process.execPath, [`${root}node_modules/typescript/bin/tsc`, "-p", `${root}src/jsconfig.json`], { encoding: "utf8" });
  assert.equal(status, 0, stdout);
});
