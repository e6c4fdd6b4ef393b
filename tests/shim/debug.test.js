// @ts-check
// The build for wasm cuts short what `{:?}` prints (`-Zfmt-debug=shallow`): `Some("a")` and `Some("b")` are both `Some`.
// So nothing may go by it. Native tests would not notice.
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";

const ALLOWED = {
  // Wants the name of the variant alone.
  "src/error.rs": 1,
};

test("nothing that is compiled for wasm goes by what Debug prints", () => {
  const root = new URL("../../", import.meta.url).pathname;
  /** @type {Record<string, number>} */
  const found = {};
  for (const path of globSync("src/**/*.rs", { cwd: root })) {
    if (path.startsWith("src/memory/") || path.endsWith("tests.rs")) continue;
    const [code] = readFileSync(root + path, "utf8").split("#[cfg(test)]\nmod tests");
    const uses = code.match(/\{\w*:#?\?\}/g) ?? [];
    if (uses.length > 0) found[path] = uses.length;
  }
  assert.deepEqual(found, ALLOWED);
});
