// @ts-check
// What a request may say besides: who signs in, when and how.
import assert from "node:assert/strict";
import { NEEDS_A_PAGE } from "../checks.js";

const RECENT = 300;
const SECONDS = 1000;

/** @typedef {import("../run.js").Run} Run @type {Record<string, (run: Run) => Promise<void>>} */
export const requests = {
  "oidcc-display-page": async (run) => accepted(run, { display: "page" }),
  "oidcc-display-popup": async (run) => accepted(run, { display: "popup" }),
  "oidcc-login-hint": async (run) => accepted(run, { login_hint: `buffy@${new URL(run.op.issuer).hostname}` }),
  "oidcc-ui-locales": async (run) => accepted(run, { ui_locales: "se" }),
  "oidcc-claims-locales": async (run) => accepted(run, { claims_locales: "se" }),
  "oidcc-ensure-request-with-unknown-parameter-succeeds": async (run) => accepted(run, { extra: "foobar" }),

  async "oidcc-ensure-request-with-acr-values-succeeds"(run) {
    const values = run.op.metadata.acr_values_supported ?? ["1", "2"];
    const { idTokens } = await run.signIn(await run.register(), { acr_values: values.join(" ") });
    for (const { claims } of idTokens) run.warn(values.includes(claims.acr), "the ID token has none of the acr values that were asked for");
  },

  async "oidcc-prompt-login"(run) {
    const [client, visitor] = [await run.register(), run.op.open()];
    const first = await run.signIn(client, {}, { visitor });
    await run.op.pass(1);
    const second = await run.signIn(client, { prompt: "login" }, { visitor });
    signedInAgain(first, second);
  },

  async "oidcc-max-age-1"(run) {
    const [client, visitor] = [await run.register(), run.op.open()];
    const first = await run.signIn(client, {}, { visitor });
    await run.op.pass(2);
    const second = await run.signIn(client, { max_age: "1" }, { visitor });
    signedInAgain(first, second);
    for (const { claims } of second.idTokens) {
      assert.ok(Math.abs(claims.auth_time - run.op.now() / SECONDS) < RECENT, "auth_time is there, and recent");
    }
  },

  async "oidcc-max-age-10000"(run) {
    const [client, visitor] = [await run.register(), run.op.open()];
    const first = await run.signIn(client, { max_age: "15000" }, { visitor });
    const second = await run.signIn(client, { max_age: "10000" }, { visitor });
    for (const { claims } of [...first.idTokens, ...second.idTokens]) assert.ok(Number.isInteger(claims.auth_time));
    sameSignIn(first, second);
  },

  async "oidcc-prompt-none-not-logged-in"(run) {
    await run.refused(run.request(await run.register(), { prompt: "none" }), NEEDS_A_PAGE);
  },

  async "oidcc-prompt-none-logged-in"(run) {
    const [client, visitor] = [await run.register(), run.op.open()];
    const first = await run.signIn(client, {}, { visitor });
    sameSignIn(first, await run.signIn(client, { prompt: "none" }, { visitor }));
  },

  async "oidcc-id-token-hint"(run) {
    const [client, visitor] = [await run.register(), run.op.open()];
    const first = await run.signIn(client, {}, { visitor });
    const [{ token }] = first.idTokens;
    sameSignIn(first, await run.signIn(client, { prompt: "none", id_token_hint: token }, { visitor }));
  },
};

/** @typedef {Awaited<ReturnType<Run["signIn"]>>} SignedIn */

/** @param {Run} run @param {import("../run.js").Form} more */
async function accepted(run, more) {
  await run.signIn(await run.register(), more);
}

/** @param {SignedIn} first @param {SignedIn} second */
function signedInAgain(first, second) {
  assert.ok(second.pages.includes("login"), "nobody was asked to sign in again");
  assert.equal(second.claims.sub, first.claims.sub);
  const [before, after] = [first.claims.auth_time, second.claims.auth_time];
  if (before !== undefined && after !== undefined) assert.ok(after > before, "auth_time does not tell of the second sign-in");
}

/** @param {SignedIn} first @param {SignedIn} second */
function sameSignIn(first, second) {
  assert.deepEqual(second.pages, [], "somebody was asked");
  assert.equal(second.claims.sub, first.claims.sub);
  const [before, after] = [first.claims.auth_time, second.claims.auth_time];
  if (before !== undefined && after !== undefined) assert.equal(after, before);
}
