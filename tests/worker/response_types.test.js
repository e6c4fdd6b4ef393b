// @ts-check
// Answers of the authorization endpoint besides `code` in a query, over workerd: taken by openid-client where it has a
// function for them, and by jose where it has none.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createRemoteJWKSet, jwtVerify } from "jose";
import * as oidc from "openid-client";
import { CALLBACK, authorizeUrl, browser, code, exchange, formOf, introspect, read, register, serveReady, told } from "./support.js";

const ALGORITHMS = ["EdDSA", "ES256", "RS256"];
const TYPES = ["code", "id_token", "code id_token", "token", "id_token token", "code token", "code id_token token"];

describe("response types and modes", () => {
  /** @type {import("./support.js").Server} */
  let server;
  /** @type {ReturnType<typeof browser>} somebody who is signed in */
  let visitor;

  before(async () => {
    server = await serveReady();
    visitor = browser(server);
    await code(server, visitor, await register(server));
  });
  after(() => server.stop());

  /** @param {Record<string, unknown>} [metadata] */
  const registerAll = (metadata) =>
    register(server, {
      grant_types: ["authorization_code", "refresh_token", "implicit"],
      response_types: TYPES,
      danger_allow_front_channel_access_tokens: true,
      ...metadata,
    });

  /** @param {import("./support.js").Client} client */
  const discover = (client) =>
    oidc.discovery(
      new URL(server.url),
      client.client_id,
      { id_token_signed_response_alg: client.id_token_signed_response_alg },
      oidc.ClientSecretBasic(client.client_secret),
      { execute: [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks] },
    );

  /** @param {URL} url */
  const answer = (url) => told(visitor, url);

  for (const algorithm of ALGORITHMS) {
    for (const response_mode of ["fragment", "form_post"]) {
      test(`openid-client takes a code with an ID token, and an ID token alone: ${response_mode}, ${algorithm}`, async () => {
        const client = await registerAll({ id_token_signed_response_alg: algorithm });
        const pkceCodeVerifier = oidc.randomPKCECodeVerifier();
        const [expectedState, expectedNonce] = [oidc.randomState(), oidc.randomNonce()];
        const asked = { redirect_uri: CALLBACK, scope: "openid profile", response_mode, state: expectedState, nonce: expectedNonce };

        const hybrid = await discover(client);
        oidc.useCodeIdTokenResponseType(hybrid);
        const code_challenge = await oidc.calculatePKCECodeChallenge(pkceCodeVerifier);
        const url = oidc.buildAuthorizationUrl(hybrid, { ...asked, code_challenge, code_challenge_method: "S256" });
        assert.equal(url.searchParams.get("response_type"), "code id_token");
        const checks = { pkceCodeVerifier, expectedState, expectedNonce };
        const tokens = await oidc.authorizationCodeGrant(hybrid, await answer(url), checks);
        assert.ok(tokens.claims()?.sub && tokens.access_token);

        const implicit = await discover(client);
        oidc.useIdTokenResponseType(implicit);
        const claims = await oidc.implicitAuthentication(implicit, await answer(oidc.buildAuthorizationUrl(implicit, asked)), expectedNonce, { expectedState });
        assert.equal(claims.sub, tokens.claims()?.sub);
        assert.equal(claims.acr, "urn:edgemint:acr:password");
      });

      test(`openid-client takes a code: ${response_mode}, ${algorithm}`, async () => {
        const client = await registerAll({ id_token_signed_response_alg: algorithm });
        const config = await discover(client);
        const pkceCodeVerifier = oidc.randomPKCECodeVerifier();
        const code_challenge = await oidc.calculatePKCECodeChallenge(pkceCodeVerifier);
        const url = oidc.buildAuthorizationUrl(config, { redirect_uri: CALLBACK, scope: "openid", response_mode, code_challenge, code_challenge_method: "S256" });
        let given = await answer(url);
        // A fragment is for scripts, which hand it on as this library wants it.
        if (given instanceof URL) given = new URL(`${CALLBACK}?${given.hash.slice(1)}`);
        const tokens = await oidc.authorizationCodeGrant(config, given, { pkceCodeVerifier, idTokenExpected: true });
        assert.ok(tokens.access_token);
      });
    }
  }

  test("access tokens of every type work, and jose finds the hashes of what came along", async () => {
    const keys = createRemoteJWKSet(new URL(`${server.url}/.well-known/jwks.json`));
    for (const access_token_format of ["sealed", "jwt"]) {
      const client = await registerAll({ access_token_format });
      for (const response_type of TYPES.slice(1)) {
        const given = await answer(authorizeUrl(server, client, { response_type, nonce: "n", scope: "openid profile", state: "s" }));
        assert.ok(given instanceof URL && given.search === "");
        const said = Object.fromEntries(new URLSearchParams(given.hash.slice(1)));
        assert.deepEqual([said.state, said.iss], ["s", server.url]);
        const parts = { code: "code", id_token: "id_token", access_token: "token" };
        for (const [name, word] of Object.entries(parts)) assert.equal(name in said, response_type.split(" ").includes(word), `${response_type} ${name}`);
        if (said.access_token) {
          assert.equal((await introspect(server, client, said.access_token)).body.active, true);
          const told = await fetch(`${server.url}/oauth/userinfo`, { headers: { authorization: `Bearer ${said.access_token}` } });
          assert.equal((await read(told)).status, 200);
        }
        if (said.id_token) {
          const { payload } = await jwtVerify(said.id_token, keys, { issuer: server.url, audience: client.client_id });
          assert.deepEqual([payload.nonce, "at_hash" in payload, "c_hash" in payload], ["n", "access_token" in said, "code" in said]);
        }
        if (said.code) assert.equal((await exchange(server, client, said.code)).status, 200);
      }
    }
  });

  test("an answer by form is a page that the client alone is posted to, and its script is there", async () => {
    const client = await registerAll();
    const page = await visitor.go(authorizeUrl(server, client, { response_mode: "form_post", state: '"><script>' }));
    assert.equal(page.status, 200);
    const policy = page.headers.get("content-security-policy") ?? "";
    const [, script] = /script-src ([^;]+);/.exec(policy) ?? [];
    assert.equal(script, `${server.url}/oauth/form-post.js`);
    assert.ok(page.text.includes(`<script src="${script}" defer></script>`));
    const form = formOf(page.text);
    assert.equal(form?.hidden.state, '"><script>');
    const served = await read(await fetch(script));
    assert.equal(served.status, 200);
    assert.match(served.headers.get("content-type") ?? "", /^text\/javascript/);
    assert.equal(served.headers.get("x-content-type-options"), "nosniff");
    assert.equal((await fetch(script, { method: "POST" })).status, 405);
  });

  test("none says that somebody is signed in, and nothing else", async () => {
    const client = await register(server);
    const given = await answer(authorizeUrl(server, client, { response_type: "none", state: "s" }));
    assert.ok(given instanceof URL);
    assert.deepEqual(Object.fromEntries(given.searchParams), { state: "s", iss: server.url });
  });
});
