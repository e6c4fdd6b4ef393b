// @ts-check
// Whole flows: codes, tokens, ID tokens.
import assert from "node:assert/strict";
import { checkCode, checkIdToken, checkTokens, halfHash } from "../checks.js";
import { pkce, skip } from "../run.js";

const HALF_A_MINUTE = 30;

/** @typedef {import("../run.js").Run} Run @type {Record<string, (run: Run) => Promise<void>>} */
export const flows = {
  "oidcc-server": async (run) => server(run),

  "oidcc-server-client-secret-post": async (run) => server(run),

  async "oidcc-idtoken-signature"(run) {
    const { idTokens } = await run.signIn(await run.register());
    for (const { header } of idTokens) assert.deepEqual([header.alg, typeof header.kid], ["RS256", "string"]);
  },

  async "oidcc-idtoken-unsigned"(run) {
    const unsigned = () => run.register({ id_token_signed_response_alg: "none" });
    assert.equal(run.op.metadata.id_token_signing_alg_values_supported.includes("none"), false);
    await assert.rejects(unsigned, /register: 400/);
    skip("no unsigned ID tokens are announced, and none can be registered for");
  },

  async "oidcc-ensure-request-without-nonce-succeeds-for-code-flow"(run) {
    const { idTokens } = await run.signIn(await run.register(), { nonce: undefined });
    for (const { claims } of idTokens) assert.equal(claims.nonce, undefined);
  },

  async "oidcc-ensure-request-without-nonce-fails"(run) {
    const form = run.request(await run.register(), { nonce: undefined });
    const walked = await run.authorize(form);
    if (walked.location === undefined && walked.posted === undefined) return run.isErrorPage(walked);
    await run.refused(form, ["invalid_request"]);
  },

  async "oidcc-ensure-request-with-valid-pkce-succeeds"(run) {
    await run.signIn(await run.register(), pkce);
  },

  async "oidcc-ensure-post-request-succeeds"(run) {
    await run.signIn(await run.register(), {}, { post: true });
  },

  async "oidcc-codereuse"(run) {
    await reused(run);
  },

  async "oidcc-codereuse-30seconds"(run) {
    const tokens = await reused(run, HALF_A_MINUTE);
    const { status } = await run.askUserinfo(tokens.access_token);
    run.warn(status >= 400 && status < 500, "the access token outlives the second use of its code");
  },

  async "oidcc-refresh-token"(run) {
    const clients = [await run.register(), await run.register()];
    const offline = { scope: "openid offline_access", prompt: "consent" };
    const kept = [];
    for (const client of clients) {
      const { tokens, claims } = await run.signIn(client, offline);
      if (!tokens.refresh_token) skip("no refresh token was given");
      assert.ok(run.op.metadata.grant_types_supported.includes("refresh_token"));
      assert.match(tokens.refresh_token, /^[\x20-\x7e]+$/);
      await run.op.pass(1);
      const answer = await run.refresh(client, tokens.refresh_token, client === clients[0] ? { scope: offline.scope } : {});
      const refreshed = checkTokens(answer);
      assert.match(answer.headers.get("cache-control") ?? "", /no-store/);
      assert.match(refreshed.token_type, /^bearer$/i);
      assert.match(refreshed.access_token, /^[\x20-\x7e]+$/);
      if (refreshed.id_token !== undefined) {
        const again = (await checkIdToken(run.op, refreshed.id_token, { client })).claims;
        // OpenID Connect Core §12.2.
        for (const claim of ["iss", "sub", "aud", "azp"]) assert.deepEqual(again[claim], claims[claim], claim);
        assert.ok(again.iat > claims.iat, "iat is when the new one was issued");
        if (again.auth_time !== undefined) assert.equal(again.auth_time, claims.auth_time);
      }
      assert.equal((await run.askUserinfo(refreshed.access_token)).status, 200);
      kept.push(refreshed.refresh_token ?? tokens.refresh_token);
    }
    const { status, body } = await run.refresh(clients[0], kept[1]);
    assert.deepEqual([status, body.error], [400, "invalid_grant"]);
  },
};

/** @param {Run} run */
async function server(run) {
  const { answer, tokens, idTokens } = await run.signIn(await run.register());
  if (run.gives.code) checkCode(answer.get("code") ?? "");
  for (const { token, header, claims } of idTokens) {
    const inFront = token === answer.get("id_token");
    const [access, code] = inFront ? [answer.get("access_token"), answer.get("code")] : [tokens.access_token, answer.get("code")];
    if (inFront) assert.deepEqual(["at_hash" in claims, "c_hash" in claims].map((there, at) => there || ![access, code][at]), [true, true]);
    if (claims.at_hash !== undefined) assert.equal(claims.at_hash, halfHash(access, header.alg));
    if (claims.c_hash !== undefined) assert.equal(claims.c_hash, halfHash(code ?? "", header.alg));
    run.warn(!("name" in claims), "the ID token has a name that nobody asked for");
  }
}

/** Uses a code again, after some seconds. @param {Run} run @param {number} [seconds] */
async function reused(run, seconds = 0) {
  const client = await run.register();
  const { form, answer, tokens } = await run.signIn(client);
  if (seconds > 0) await run.op.pass(seconds);
  const again = await run.exchange(client, answer.get("code") ?? "", form);
  assert.deepEqual([again.status, again.body?.error], [400, "invalid_grant"]);
  assert.match(again.headers.get("content-type") ?? "", /^application\/json/);
  assert.match(again.body.error_description ?? "", /^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/);
  return tokens;
}
