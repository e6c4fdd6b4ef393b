// @ts-check
/** The store contract (`tests/contract`) against the Durable Objects in workerd. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { startObjects } from "./objects.js";
import { follow } from "./feed.js";

const directory = new URL("../contract/", import.meta.url);

for (const name of readdirSync(directory).sort()) {
  const { about, fragments, scenarios } = JSON.parse(
    readFileSync(new URL(name, directory), "utf8"),
  );

  describe(`${name}: ${about}`, async () => {
    const objects = await startObjects();
    const feed = await follow(objects);

    for (const scenario of scenarios) {
      it(scenario.name, async () => {
        for (const written of scenario.steps.flatMap(turns)) {
          const step = expand(written, { ...fragments, feed: feed.name });
          const at = { request: step.request, now: step.now * 1000 };
          const answer = await objects.call(step.object, { at, verb: step.verb });
          assert.deepEqual(answer, step.answer, `the answer to ${step.request}`);
          assert.deepEqual(await feed.news(), step.feed ?? [], `the feed after ${step.request}`);
          assert.deepEqual(await objects.posted(), step.courier ?? [], `the courier after ${step.request}`);
        }
      });
    }

    it("stops", () => objects.stop());
  });
}

/**
 * A step with `times` is done so often; `{n}` and `{n+1}` in it count from nought, and `"{=n+1}"` is the number.
 *
 * @param {any} step
 * @returns {any[]}
 */
function turns(step) {
  if (step.times === undefined) return [step];
  const text = JSON.stringify(step);
  const turn = (/** @type {number} */ n) =>
    JSON.parse(text.replaceAll("{n}", `${n}`).replaceAll('"{=n+1}"', `${n + 1}`).replaceAll("{n+1}", `${n + 1}`));
  return Array.from({ length: step.times }, (_, n) => turn(n));
}

/**
 * Puts in the fragments: `"$name"` is one, `{"$": "name", …}` is one with other members. In a list,
 * `{"times": …, "each": …}` stands for so many.
 *
 * @param {any} value
 * @param {Record<string, any>} fragments
 * @returns {any}
 */
function expand(value, fragments) {
  if (typeof value === "string") {
    return value.startsWith("$") ? expand(fragments[value.slice(1)], fragments) : value;
  }
  if (Array.isArray(value)) {
    const items = value.flatMap((item) => (item?.each === undefined ? [item] : turns(item).map(({ each }) => each)));
    return items.map((item) => expand(item, fragments));
  }
  if (value === null || typeof value !== "object") {
    return value;
  }
  const { $: base, ...members } = value;
  const whole = base === undefined ? {} : { ...fragments[base] };
  for (const [name, member] of Object.entries(members)) {
    whole[name] = expand(member, fragments);
  }
  return whole;
}
