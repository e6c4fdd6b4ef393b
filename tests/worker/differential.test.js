// @ts-check
/** A long random sequence of calls is answered by the Durable Objects as it is by memory. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import { follow } from "./feed.js";
import { startObjects } from "./objects.js";

const STEPS = 2000;
const SEED = process.env.SEED ?? "20260101";

it(`${STEPS} random calls are answered as memory answers them (SEED=${SEED})`, async () => {
  const trace = execFileSync(
    "cargo",
    ["run", "--quiet", "--example", "store_trace", "--", SEED, String(STEPS)],
    { cwd: fileURLToPath(new URL("../..", import.meta.url)), maxBuffer: 1 << 28 },
  );
  const objects = await startObjects({ bindings: { LEDGER_SHARDS: "2" } });
  try {
    const feed = await follow(objects);
    const here = (/** @type {any} */ value) =>
      JSON.parse(JSON.stringify(value).replaceAll("feed-in-memory", feed.name));
    for (const [index, step] of JSON.parse(trace.toString()).entries()) {
      const label = `step ${index}: ${JSON.stringify(step.call)}`;
      assert.deepEqual(unordered(await objects.call(step.object, here(step.call))), unordered(here(step.answer)), label);
      assert.deepEqual(apart(await feed.news()), apart(step.feed), `the feed after ${label}`);
      assert.deepEqual(await objects.posted(), step.courier, `the courier after ${label}`);
    }
  } finally {
    await objects.stop();
  }
});

/** An answer, with the lines of the feed in it as `apart` has them. @param {any} answer */
function unordered(answer) {
  const { since } = answer ?? {};
  return since === undefined ? answer : { ...answer, since: { ...since, entries: apart(since.entries) } };
}

/**
 * The lines of a feed by what they are about, each thing's own in their order. Shards tell the feed
 * each for itself, so what two people's shards tell in one step may come either way round.
 *
 * @param {Record<string, [string, unknown]>[]} lines
 */
function apart(lines) {
  /** @type {Record<string, object[]>} */
  const things = {};
  for (const line of lines) {
    const [[kind, about]] = Object.entries(line);
    (things[`${kind} ${Array.isArray(about) ? about[0] : about}`] ??= []).push(line);
  }
  return things;
}
