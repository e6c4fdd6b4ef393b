// @ts-check
// jose both ways: it verifies every token that we mint, and says of every token that it mints what we say, with WebCrypto
// and with ring. Where it does not, `tests/vectors/exceptions.json` has the reason.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { calculateJwkThumbprint, createLocalJWKSet, createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from "jose";
import { root } from "../../scripts/lib/steps.mjs";
import { api, ask, browser, code, exchange, read, refresh, register, serveReady } from "../worker/support.js";
import { ALGORITHMS, mint } from "./jose_cases.js";

const edgemint = await import(join(root, "build/browser/node.js"));
const RESOURCE = "https://api.example/";

describe("tokens that we mint", () => {
  /** @type {import("../worker/support.js").Server} */
  let server;
  /** @type {ReturnType<typeof browser>} */
  let visitor;
  before(async () => {
    server = await serveReady();
    visitor = browser(server);
  });
  after(() => server.stop());

  const jwksUri = () => new URL(`${server.url}/.well-known/jwks.json`);
  const jwks = async () => (await read(await fetch(jwksUri()))).body;

  /**
   * @param {string} token
   * @param {import("../worker/support.js").Client} client
   * @param {string} algorithm
   * @param {Record<string, string>} [beside] nonce and access token
   */
  async function assertIdToken(token, client, algorithm, beside = {}) {
    const { payload, protectedHeader } = await jwtVerify(token, createRemoteJWKSet(jwksUri()), {
      issuer: server.url,
      audience: client.client_id,
      typ: "JWT",
      algorithms: [algorithm],
      requiredClaims: ["sub", "iat", "exp", "auth_time", "at_hash"],
    });
    assert.deepEqual(Object.keys(protectedHeader).sort(), ["alg", "kid", "typ"]);
    assert.equal(payload.nonce, beside.nonce);
    const claims = await edgemint.verifyIdToken(token, await jwks(), { issuer: server.url, client_id: client.client_id, ...beside });
    assert.deepEqual(claims, payload);
  }

  /**
   * @param {string} token
   * @param {string} algorithm
   */
  async function assertAccessToken(token, algorithm) {
    const { payload, protectedHeader } = await jwtVerify(token, createRemoteJWKSet(jwksUri()), {
      issuer: server.url,
      audience: RESOURCE,
      typ: "at+jwt",
      algorithms: [algorithm],
      requiredClaims: ["sub", "client_id", "iat", "exp", "jti", "scope"],
    });
    assert.deepEqual(Object.keys(protectedHeader).sort(), ["alg", "kid", "typ"]);
    const expected = { issuer: server.url, audience: RESOURCE, typ: "at+jwt" };
    assert.deepEqual(await edgemint.verifyJwt(token, await jwks(), expected), payload);
  }

  for (const algorithm of ALGORITHMS) {
    test(`${algorithm}: ID tokens and JWT access tokens, of a code, of a refresh and of a client itself`, async () => {
      const metadata = { access_token_format: "jwt", id_token_signed_response_alg: algorithm, default_resource: RESOURCE };
      const client = await register(server, metadata);
      const nonce = "n-0S6_WzA2Mj";
      const { body: first } = await exchange(server, client, await code(server, visitor, client, { nonce }));
      await assertIdToken(first.id_token, client, algorithm, { nonce, access_token: first.access_token });
      await assertAccessToken(first.access_token, algorithm);

      const { body: second } = await refresh(server, client, first.refresh_token);
      await assertIdToken(second.id_token, client, algorithm, { access_token: second.access_token });
      await assertAccessToken(second.access_token, algorithm);

      const service = await register(server, { ...metadata, grant_types: ["client_credentials"], redirect_uris: [], scope: "a" });
      const { body: own } = await ask(server, "/oauth/token", service, { grant_type: "client_credentials" });
      await assertAccessToken(own.access_token, algorithm);
    });
  }

  test("every key is named by its RFC 7638 thumbprint, and jose computes the same", async () => {
    const { keys } = await jwks();
    assert.ok(keys.length >= ALGORITHMS.length);
    for (const key of keys) assert.equal(key.kid, await calculateJwkThumbprint(key));
  });

  test("after keys were withdrawn, jose takes what the new ones sign and not what the old ones did", async () => {
    const client = await register(server, { id_token_signed_response_alg: "ES256" });
    const { body: before } = await exchange(server, client, await code(server, visitor, client));
    await assertIdToken(before.id_token, client, "ES256", { access_token: before.access_token });
    assert.equal((await api(server, "/api/v1/keys/rotate", { at_once: true })).status, 200);
    const { body: after } = await exchange(server, client, await code(server, visitor, client));
    assert.notEqual(decodeProtectedHeader(after.id_token).kid, decodeProtectedHeader(before.id_token).kid);
    await assertIdToken(after.id_token, client, "ES256", { access_token: after.access_token });
    await assert.rejects(jwtVerify(before.id_token, createRemoteJWKSet(jwksUri())), { code: "ERR_JWKS_NO_MATCHING_KEY" });
  });
});

describe("tokens that jose mints", async () => {
  const { cases, key_sets } = await mint();
  /** @type {Record<string, string>} */
  const exceptions = JSON.parse(readFileSync(join(root, "tests/vectors/exceptions.json"), "utf8")).jose;
  const native = JSON.parse(
    execFileSync("cargo", ["run", "--quiet", "--locked", "--example", "verdicts"], {
      cwd: root,
      input: JSON.stringify({ cases, key_sets }),
    }).toString(),
  );

  /** @param {import("./jose_cases.js").Case} tried @returns {Promise<string>} */
  const joses = ({ token, keys, expected: { issuer, audience, typ, now, max_age } }) =>
    jwtVerify(token, createLocalJWKSet(/** @type {any} */ (structuredClone(key_sets[keys]))), {
      issuer,
      audience,
      // `JWT` accepts none, too, and jose has no word for that.
      ...(typ === "JWT" ? {} : { typ }),
      ...(max_age === undefined ? {} : { maxTokenAge: max_age }),
      currentDate: new Date(now * 1000),
      clockTolerance: 10,
      algorithms: ALGORITHMS,
      requiredClaims: ["exp"],
    }).then(
      () => "accepted",
      (refusal) => refusal.code ?? String(refusal),
    );

  for (const [index, tried] of cases.entries()) {
    const { name, call, token, keys, expected } = tried;
    test(name, async () => {
      /** @type {string} */
      const ours = await edgemint[call](token, key_sets[keys], expected).then(
        () => "accepted",
        (/** @type {any} */ refusal) => refusal.code ?? String(refusal),
      );
      const theirs = await joses(tried);
      assert.equal(native[index], ours, "ring and WebCrypto");
      assert.notEqual(ours, "backend_unavailable");
      assert.equal((theirs === "accepted") === (ours === "accepted"), !(name in exceptions), `jose: ${theirs}; ours: ${ours}`);
    });
  }

  test("no two cases have one name, and every exception is one of them", () => {
    const names = cases.map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
    assert.deepEqual(Object.keys(exceptions).filter((name) => !names.includes(name)), []);
  });
});
