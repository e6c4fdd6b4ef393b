// @ts-check
// OpenID Connect RP-Initiated Logout 1.0.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { SignJWT, decodeJwt, decodeProtectedHeader, generateKeyPair } from "jose";
import { NEEDS_A_PAGE } from "../checks.js";
import { POST_LOGOUT } from "../op.js";

/** @typedef {import("../run.js").Run} Run @typedef {import("../run.js").Form} Form @type {Record<string, (run: Run) => Promise<void>>} */
export const logout = {
  async "oidcc-rp-initiated-logout-discovery-endpoint-verification"(run) {
    const announced = await run.op.announced();
    try {
      const document = /** @type {any} */ (await (await announced.get("/.well-known/openid-configuration")).json());
      assert.equal(new URL(document.end_session_endpoint).protocol, "https:");
    } finally {
      await announced.stop();
    }
  },

  async "oidcc-rp-initiated-logout"(run) {
    const { walked, state, ended } = await leave(run, {});
    assert.equal(returned(walked).get("state"), state);
    assert.equal(await ended(), true);
  },

  async "oidcc-rp-initiated-logout-no-state"(run) {
    const { walked, ended } = await leave(run, { state: undefined });
    assert.deepEqual([...returned(walked).keys()], []);
    assert.equal(await ended(), true);
  },

  "oidcc-rp-initiated-logout-bad-post-logout-redirect-uri": async (run) => nowhere(run, { post_logout_redirect_uri: `${POST_LOGOUT}/${randomBytes(8).toString("hex")}` }),

  "oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri": async (run) => nowhere(run, { post_logout_redirect_uri: `${POST_LOGOUT}?foo=bar` }),

  "oidcc-rp-initiated-logout-modified-id-token-hint": async (run) =>
    nowhere(run, (hint) => {
      const header = Buffer.from(JSON.stringify({ ...decodeProtectedHeader(hint), alg: "none" })).toString("base64url");
      return { id_token_hint: `${header}.${hint.split(".")[1]}.` };
    }),

  "oidcc-rp-initiated-logout-bad-id-token-hint": async (run) =>
    nowhere(run, async (hint) => {
      const header = /** @type {import("jose").JWTHeaderParameters} */ (decodeProtectedHeader(hint));
      const { privateKey } = await generateKeyPair(header.alg);
      return { id_token_hint: await new SignJWT(decodeJwt(hint)).setProtectedHeader(header).sign(privateKey) };
    }),

  "oidcc-rp-initiated-logout-no-id-token-hint": async (run) => nowhere(run, { id_token_hint: undefined }),

  "oidcc-rp-initiated-logout-no-params": async (run) => out(run, { id_token_hint: undefined, post_logout_redirect_uri: undefined, state: undefined }),

  "oidcc-rp-initiated-logout-no-post-logout-redirect-uri": async (run) => out(run, { post_logout_redirect_uri: undefined }),

  "oidcc-rp-initiated-logout-only-state": async (run) => out(run, { id_token_hint: undefined, post_logout_redirect_uri: undefined }),
};

/**
 * Signs somebody in, sends the browser to the endpoint, and answers the question there if there is one.
 *
 * @param {Run} run
 * @param {Form | ((hint: string) => Form | Promise<Form>)} more
 */
async function leave(run, more) {
  const [client, visitor] = [await run.register(), run.op.open()];
  const [{ token }] = (await run.signIn(client, {}, { visitor })).idTokens;
  const state = randomBytes(96).toString("base64url");
  const form = { id_token_hint: token, post_logout_redirect_uri: POST_LOGOUT, state, ...(typeof more === "function" ? await more(token) : more) };
  const url = new URL(run.op.metadata.end_session_endpoint);
  for (const [name, value] of Object.entries(form)) if (value !== undefined) url.searchParams.set(name, value);
  const walked = await visitor.walk(url);

  /** Whether a silent request is told that nobody is signed in. */
  async function ended() {
    const { answer } = await run.answered(run.request(client, { prompt: "none" }), { visitor });
    const error = answer.get("error");
    assert.ok(error === null || NEEDS_A_PAGE.includes(error), String(error));
    return error !== null;
  }
  return { walked, state, ended };
}

/** What came back with the browser. @param {import("../op.js").Walked} walked */
function returned({ location, last }) {
  assert.equal(location && location.origin + location.pathname, POST_LOGOUT, `${last.status} ${last.text}`);
  return location?.searchParams ?? new URLSearchParams();
}

/** The browser stays where it is, on an error page or a question, whatever the answer. @param {Run} run @param {Parameters<typeof leave>[1]} more */
async function nowhere(run, more) {
  const { walked } = await leave(run, more);
  assert.equal(walked.location ?? walked.posted, undefined, String(walked.location));
  assert.match(walked.last.headers.get("content-type") ?? "", /^text\/html/);
}

/** Somebody is signed out, and shown so. @param {Run} run @param {Form} more */
async function out(run, more) {
  const { walked, ended } = await leave(run, more);
  assert.equal(walked.location ?? walked.posted, undefined, String(walked.location));
  assert.equal(walked.last.status, 200);
  assert.equal(await ended(), true);
}
