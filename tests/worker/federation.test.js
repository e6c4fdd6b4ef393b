// @ts-check
// Assertions over the wire (row S4.4; RFC 7523): keys that somebody else publishes, who is new, slow, too long, elsewhere
// or not to be asked at all; and a library of other people's that signs its own.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";
import { SignJWT, exportJWK, generateKeyPair } from "jose";
import * as oidc from "openid-client";
import { CALLBACK, VERIFIER, api, atOnce, authorizeUrl, browser, made, read, serveReady } from "./support.js";

const TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const AUDIENCE = "edgemint-of-the-tests";

/** @typedef {{ kid: string, alg: string, privateKey: CryptoKey, jwk: import("jose").JWK }} Key */

/** @param {string} kid @param {string} [alg] @returns {Promise<Key>} */
async function newKey(kid, alg = "ES256") {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: "sig" } };
}

/** Somebody who publishes keys, in more and less useful ways; counts who asks. */
async function publisher() {
  /** @type {Key[]} */
  let keys = [];
  /** @type {Record<string, number>} */
  const asked = {};
  const document = () => JSON.stringify({ keys: keys.map(({ jwk }) => jwk) });
  const json = { "content-type": "application/json" };
  const server = createServer(async (request, response) => {
    const path = request.url ?? "";
    asked[path] = (asked[path] ?? 0) + 1;
    if (path.startsWith("/jwks")) response.writeHead(200, { "content-type": "application/jwk-set+json; charset=utf-8" }).end(document());
    else if (path === "/redirect") response.writeHead(302, { ...json, location: "/jwks" }).end(document());
    else if (path === "/huge") response.writeHead(200, json).end(JSON.stringify({ ...JSON.parse(document()), pad: "a".repeat(65_536) }));
    else if (path === "/drip") response.writeHead(200, json).write(document().slice(0, 10)); // and no more
    else if (path === "/private") response.writeHead(200, json).end(JSON.stringify({ keys: [await exportJWK(keys[0].privateKey)] }));
    else if (path === "/text") response.writeHead(200, { "content-type": "text/plain" }).end(document());
    else if (path === "/error") response.writeHead(500, json).end(document());
    // "/silent" is never answered.
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    /** @param {Key[]} next */
    publish: (...next) => (keys = next),
    stop: () => (server.closeAllConnections(), server.close()),
  };
}

describe("federation", () => {
  /** @type {import("./support.js").Server} */
  let server;
  /** @type {Awaited<ReturnType<typeof publisher>>} */
  let others;
  /** @type {Key} */
  let key;

  before(async () => {
    server = await serveReady({ script: "tests/worker/faulty.js", bindings: { DANGER_ALLOW_PRIVATE_FETCH_TARGETS: "1" } });
    others = await publisher();
    key = await newKey("first");
    others.publish(key);
  });
  after(async () => {
    others.stop();
    await server.stop();
  });

  /** A client that trusts an issuer whose keys are at this path. @param {string} path */
  async function workload(path) {
    const name = randomUUID();
    const issuer = `https://${name}.example`;
    const source = await made(server, "sources/", { name, slug: name, issuer, audience: AUDIENCE, jwks_uri: others.url + path });
    const { client_id } = await made(server, "providers/oauth2/", { name, grant_types: ["client_credentials"], scope: "openid", jwks_sources: [source.pk], jwks_subjects: ["job"] });
    return { issuer, client_id };
  }

  /** @param {{ issuer: string }} of @param {Key} [signer] */
  const assertion = ({ issuer }, signer = key) =>
    new SignJWT({ sub: "job" })
      .setProtectedHeader({ alg: signer.alg, kid: signer.kid })
      .setIssuer(issuer)
      .setAudience(AUDIENCE)
      .setIssuedAt()
      .setExpirationTime("5m")
      .setJti(randomUUID())
      .sign(signer.privateKey);

  /** @param {{ client_id: string }} client @param {string} client_assertion */
  const show = async ({ client_id }, client_assertion) =>
    read(
      await fetch(`${server.url}/oauth/token`, {
        method: "POST",
        body: new URLSearchParams({ grant_type: "client_credentials", client_id, client_assertion_type: TYPE, client_assertion }),
      }),
    );

  /** Moves the server's clock; assertions are made by ours. @param {number} ahead milliseconds */
  const clock = (ahead) => fetch(`${server.url}/faults`, { method: "POST", body: JSON.stringify({ ahead }) });

  test("s4_4_keys_by_url_are_fetched_once_for_fifty_requests_at_once", async () => {
    const client = await workload("/jwks?once");
    const answers = await atOnce(50, async () => show(client, await assertion(client)));
    assert.deepEqual(
      answers.map(({ status }) => status),
      answers.map(() => 200),
    );
    assert.equal(others.asked["/jwks?once"], 1);
  });

  test("s4_4_one_assertion_shown_by_fifty_at_once_gets_one_token", async () => {
    const client = await workload("/jwks?race");
    const one = await assertion(client);
    const answers = await atOnce(50, () => show(client, one));
    assert.equal(answers.filter(({ status }) => status === 200).length, 1);
    for (const { status, body } of answers) assert.ok(status === 200 || body.error === "invalid_client" || status === 429, `${status}`);
  });

  test("s4_4_a_rotated_key_is_found_and_the_old_one_is_gone", async () => {
    const client = await workload("/jwks?rotated");
    assert.equal((await show(client, await assertion(client))).status, 200);
    const next = await newKey("second", "RS256");
    others.publish(next);
    try {
      // Within a minute nobody is asked for a name that is new.
      assert.equal((await show(client, await assertion(client, next))).status, 401);
      assert.equal(others.asked["/jwks?rotated"], 1);
      await clock(61_000);
      assert.equal((await show(client, await assertion(client, next))).status, 200);
      assert.equal((await show(client, await assertion(client))).body.error, "invalid_client");
      assert.equal(others.asked["/jwks?rotated"], 2);
    } finally {
      await clock(0);
      others.publish(key);
    }
  });

  test("s4_4_all_other_algorithms_of_the_table_verify", async () => {
    const keys = await Promise.all(["EdDSA", "RS256", "ES256"].map((alg) => newKey(alg, alg)));
    others.publish(...keys);
    const client = await workload("/jwks?algorithms");
    for (const one of keys) assert.equal((await show(client, await assertion(client, one))).status, 200, one.alg);
    others.publish(key);
  });

  for (const path of ["/redirect", "/huge", "/silent", "/drip", "/private", "/text", "/error"]) {
    test(`cr_2_cr_3_what_comes_from_${path.slice(1)}_is_no_key_set`, async () => {
      const client = await workload(path);
      const answers = await atOnce(5, async () => show(client, await assertion(client)));
      for (const { status, body, headers } of answers) {
        assert.deepEqual([status, body.error, headers.get("retry-after")], [503, "temporarily_unavailable", "1"]);
      }
      assert.equal(others.asked[path], 1);
      // A redirect is not followed.
      assert.equal(others.asked["/jwks"], undefined);
    });
  }

  test("s4_4_keys_outlive_an_outage_of_who_publishes_them_and_a_restart_of_ours", async () => {
    const client = await workload("/jwks?outage");
    assert.equal((await show(client, await assertion(client))).status, 200);
    await fetch(`${server.url}/cold`, { method: "POST" });
    assert.equal((await show(client, await assertion(client))).status, 200);
    assert.equal(others.asked["/jwks?outage"], 1);
  });

  test("cr_3_without_the_switch_nothing_of_ones_own_is_asked", async () => {
    const strict = await serveReady();
    try {
      for (const jwks_uri of [`${others.url}/jwks?strict`, "https://127.0.0.1/jwks", "https://[::1]/jwks", "https://2130706433/jwks", "https://localhost/jwks"]) {
        const body = { name: "Near", slug: randomUUID(), issuer: "https://near.example", jwks_uri };
        const refused = await api(strict, "/api/v1/sources/", body);
        assert.deepEqual([refused.status, Array.isArray(refused.body.jwks_uri)], [400, true], jwks_uri);
        // Nor is it fetched, if ever it was written.
        const objects = /** @type {any} */ (await strict.mf.getDurableObjectNamespace("COURIER"));
        const verb = { fetch_keys: { url: jwks_uri, lacking: null } };
        const at = { request: randomUUID(), now: Date.now() };
        const told = JSON.parse(await objects.getByName("courier").call(JSON.stringify({ at, verb })));
        assert.deepEqual(told, { fetch_keys: null }, jwks_uri);
      }
      assert.equal(others.asked["/jwks?strict"], undefined);
    } finally {
      await strict.stop();
    }
  });

  for (const where of ["jwks", "jwks_uri"]) {
    test(`te_13_openid-client authenticates by its own key: ${where}`, async () => {
      const keys = where === "jwks" ? { jwks: { keys: [key.jwk] } } : { jwks_uri: `${others.url}/jwks?own` };
      const { client_id, client_secret } = await made(server, "providers/oauth2/", {
        name: "Keyed",
        token_endpoint_auth_method: "private_key_jwt",
        redirect_uris: CALLBACK,
        grant_types: ["authorization_code", "refresh_token", "client_credentials"],
        scope: "openid offline_access",
        ...keys,
      });
      assert.equal(client_secret, undefined);
      const authentication = oidc.PrivateKeyJwt({ key: key.privateKey, kid: key.kid });
      const config = await oidc.discovery(new URL(server.url), client_id, undefined, authentication, { execute: [oidc.allowInsecureRequests] });
      assert.ok(config.serverMetadata().token_endpoint_auth_signing_alg_values_supported?.includes(key.alg));
      const own = await oidc.clientCredentialsGrant(config);
      assert.equal((await oidc.tokenIntrospection(config, own.access_token)).client_id, client_id);
      await oidc.tokenRevocation(config, own.access_token);
      assert.equal((await oidc.tokenIntrospection(config, own.access_token)).active, false);

      const start = authorizeUrl(server, { client_id, redirect_uris: [CALLBACK] });
      const { location } = await browser(server).walk(start);
      assert.ok(location);
      const tokens = await oidc.authorizationCodeGrant(config, location, { pkceCodeVerifier: VERIFIER });
      assert.ok(tokens.id_token && tokens.refresh_token);
      assert.ok((await oidc.refreshTokenGrant(config, tokens.refresh_token)).access_token);
    });
  }
});
