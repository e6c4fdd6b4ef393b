// @ts-check
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { MODULES } from "./plan.js";
import { BASIC, CONFIG, HYBRID, IMPLICIT, RP_LOGOUT } from "./plans.js";
import { OUTCOMES } from "./outcomes.js";

const PLANS = /** @type {const} */ ({ C: CONFIG, B: BASIC, I: IMPLICIT, H: HYBRID, L: RP_LOGOUT });
const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
const rows = Array.from(readme.matchAll(/^\| `(oidcc-[^`]+)` \| ([BCHIL ]+) \| .* \| (\w+)[^|]* \| (\w+)[^|]* \|$/gm), ([, ...row]) => row);

test("every module has its row, with the plans that run it and what each OP makes of it", () => {
  assert.deepEqual(rows.map(([name]) => name).sort(), Object.keys(MODULES).sort());
  for (const [name, plans, edgemint, other] of rows) {
    const running = Object.entries(PLANS).filter(([, entries]) => entries.some(({ modules }) => modules.includes(name)));
    assert.deepEqual(plans.split(" ").filter((plan) => plan in PLANS), running.map(([plan]) => plan), name);
    assert.deepEqual([edgemint, other], [word("Edgemint", name), word("oidc-provider", name)], name);
  }
});

test("the plans have as many modules as the suite's, and each is one of ours", () => {
  const counts = Object.values(PLANS).map((entries) => new Set(entries.flatMap(({ modules }) => modules)).size);
  assert.deepEqual(counts, [1, 38, 31, 37, 11]);
  for (const { modules } of Object.values(PLANS).flat()) for (const name of modules) assert.ok(name in MODULES, name);
  for (const found of Object.values(OUTCOMES)) for (const name of Object.keys(found)) assert.ok(name in MODULES, name);
});

/** @param {string} op @param {string} name */
function word(op, name) {
  const found = OUTCOMES[op][name] ?? {};
  return ["fails", "skipped", "warning"].find((each) => each in found) ?? "passes";
}
