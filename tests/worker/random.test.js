// @ts-check
// A slice of what `npm run fuzz -- --http 1000000` sends.
import assert from "node:assert/strict";
import { test } from "node:test";
import { barrage } from "../fuzz/barrage.js";

test("OPS-3: twenty thousand random requests, pipelined, bring nothing down", async () => {
  const { statuses } = await barrage({ requests: 20_000, seed: 20_260_802, log: console.log });
  // They reach what is behind the first check: all of these were answered, many times.
  for (const status of ["200", "303", "400", "401"]) assert.ok(statuses[status] > 200, JSON.stringify(statuses));
});
