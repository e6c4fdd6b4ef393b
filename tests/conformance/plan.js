// @ts-check
// Runs a plan's modules against both OPs, and compares what each found with what is written down.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import * as edgemint from "./edgemint.js";
import { claims } from "./modules/claims.js";
import { discovery } from "./modules/discovery.js";
import { flows } from "./modules/flows.js";
import { logout } from "./modules/logout.js";
import { refusals } from "./modules/refusals.js";
import { requests } from "./modules/requests.js";
import * as oidcProvider from "./oidc_provider.js";
import { underTest } from "./op.js";
import { OUTCOMES } from "./outcomes.js";
import { Skipped, started } from "./run.js";

/** @type {Record<string, (run: import("./run.js").Run) => Promise<void>>} */
export const MODULES = { ...discovery, ...flows, ...claims, ...requests, ...refusals, ...logout };
export const OPS = { Edgemint: edgemint, "oidc-provider": oidcProvider };

/**
 * @typedef {{ variant: import("./run.js").Variant, modules: string[] }} Entry
 *
 * @param {string} name
 * @param {Entry[]} entries
 */
export function plan(name, entries) {
  for (const [opName, { start }] of Object.entries(OPS)) {
    describe(`${name}, ${opName}`, () => {
      /** @type {import("./op.js").Op} */
      let op;
      before(async () => {
        op = await underTest(await start());
      });
      after(() => op?.stop());

      for (const { variant, modules: names } of entries) {
        describe(label(variant), () => {
          for (const each of names) test(each, (t) => outcome(t, op, each, variant));
        });
      }
    });
  }
}

/** @param {import("./run.js").Variant} variant */
export function label({ response_type, response_mode, client_auth }) {
  return [response_type, response_mode, client_auth].filter((part) => part !== undefined).join(", ");
}

/**
 * @param {import("node:test").TestContext} t
 * @param {import("./op.js").Op} op
 * @param {string} name
 * @param {import("./run.js").Variant} variant
 */
async function outcome(t, op, name, variant) {
  const run = started(op, variant);
  const expected = OUTCOMES[op.name][name] ?? {};
  if (expected.fails) return assert.rejects(MODULES[name](run), expected.fails);
  /** @type {string | undefined} */
  let skipped;
  await MODULES[name](run).catch((/** @type {unknown} */ error) => {
    if (!(error instanceof Skipped)) throw error;
    skipped = error.message;
  });
  const warned = typeof expected.warning === "function" ? expected.warning(variant) : expected.warning;
  assert.deepEqual({ skipped, warnings: run.warnings }, { skipped: expected.skipped, warnings: warned ? [warned].flat() : [] });
  // What is not announced was checked to be refused or ignored; that is a test of ours, and none of the other's.
  if (skipped !== undefined && op.name !== "Edgemint") t.skip(skipped);
}
