// @ts-check
// When KV may be written again after a write that was given up.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Unfinished } from "../../src/edge/unfinished.js";

const never = new Promise(() => {});

test("a key waits for its own unfinished write, and for no other", () => {
  const writes = new Unfinished();
  writes.begin("a", 1_000, never);
  assert.equal(writes.blocks("a", 1_001), true);
  assert.equal(writes.blocks("b", 1_001), false);
});

test("a write that ended, well or not, blocks nothing", async () => {
  for (const ended of [Promise.resolve(), Promise.reject(new Error("500"))]) {
    const writes = new Unfinished();
    writes.begin("a", 1_000, ended);
    await ended.catch(() => {});
    assert.equal(writes.blocks("a", 1_001), false);
  }
});

test("a write that never ends blocks its key for a minute", () => {
  const writes = new Unfinished();
  writes.begin("a", 1_000, never);
  assert.equal(writes.blocks("a", 60_999), true);
  assert.equal(writes.blocks("a", 61_000), false);
});

test("an earlier write that ends late does not stand for the one after it", async () => {
  const writes = new Unfinished();
  /** @type {(value?: unknown) => void} */
  let end = () => {};
  const first = new Promise((resolve) => (end = resolve));
  writes.begin("a", 1_000, first);
  writes.begin("a", 70_000, never);
  end();
  await first;
  assert.equal(writes.blocks("a", 70_001), true);
});
