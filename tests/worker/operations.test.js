// @ts-check
// What the steady state costs, counted at the bindings. The numbers are those that the design promises.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { SignJWT, exportJWK, generateKeyPair } from "jose";
import {
  BOOTSTRAP_TOKEN,
  api,
  ask,
  atOnce,
  authorizeUrl,
  browser,
  code,
  cookieOf,
  exchange,
  introspect,
  ofOwn,
  read,
  refresh,
  register,
  revoke,
  serveReady,
} from "./support.js";

const PROXY_SECRET = "proxy-canary-7hq2xw9ncz4kd5vtb8mf3y";

describe("operations", () => {
  /** @type {import("./support.js").Server} */
  let server;
  /** @type {ReturnType<typeof browser>} */
  let visitor;
  /** @type {import("./support.js").Client} */
  let client;

  before(async () => {
    // A copy of the feed that stays fresh for the whole file.
    server = await serveReady({ script: "tests/worker/counting.js", bindings: { REVOCATION_MAX_AGE: "60", PROXY_SECRET, QUOTAS: JSON.stringify({ default: { api: { counted: 9 } } }) } });
    visitor = browser(server);
    client = await register(server);
    await read(await fetch(`${server.url}/ready`));
    // Signs in; then the session is seen for the first time; from here on both are warm.
    await code(server, visitor, client);
    await code(server, visitor, client);
  });
  after(() => server.stop());

  /**
   * What `work` costs.
   *
   * @template T
   * @param {() => Promise<T>} work
   * @returns {Promise<[Record<string, number>, T]>}
   */
  async function cost(work) {
    await fetch(`${server.url}/counted`);
    const result = await work();
    return [(await read(await fetch(`${server.url}/counted`))).body, result];
  }

  test("a sign-in costs one KV put and one ledger call, and lists nothing", async () => {
    const [spent, { status }] = await cost(async () => exchange(server, client, await code(server, visitor, client)));
    assert.equal(status, 200);
    assert.deepEqual(spent, { "worker kv put": 1, "worker ledger": 1 });
  });

  test("the sign-in page costs nothing", async () => {
    const newcomer = browser(server);
    const [spent, { status }] = await cost(() => newcomer.go("/login"));
    assert.equal(status, 200);
    assert.deepEqual(spent, {});
  });

  test("a sign-in whose consent is remembered costs one ledger call more", async () => {
    const asks = await register(server, { implicit_consent: false });
    const first = await exchange(server, asks, await code(server, visitor, asks));
    await introspect(server, asks, first.body.access_token);
    const [spent, { status }] = await cost(async () => exchange(server, asks, await code(server, visitor, asks)));
    assert.equal(status, 200);
    assert.deepEqual(spent, { "worker kv put": 1, "worker ledger": 2 });
  });

  test("a refresh costs one ledger call and no KV", async () => {
    const { body } = await exchange(server, client, await code(server, visitor, client));
    const [spent, { status }] = await cost(() => refresh(server, client, body.refresh_token));
    assert.equal(status, 200);
    assert.deepEqual(spent, { "worker ledger": 1 });
  });

  for (const access_token_format of ["sealed", "jwt"]) {
    test(`introspection, check_token and client_credentials cost nothing: ${access_token_format}`, async () => {
      const service = await register(server, { access_token_format, redirect_uris: [], grant_types: ["client_credentials"], scope: "a" });
      const issue = () => ask(server, "/oauth/token", service, { grant_type: "client_credentials" });
      await issue();
      const [spent] = await cost(async () => {
        const { body } = await issue();
        for (let times = 0; times < 20; times += 1) {
          assert.equal((await introspect(server, service, body.access_token)).body.active, true);
          assert.equal((await ask(server, "/oauth/check_token", service, { token: body.access_token, scope: "a" })).body.active, true);
          assert.equal((await introspect(server, service, `${body.access_token}x`)).body.active, false);
        }
      });
      assert.deepEqual(spent, {});
    });
  }

  test("the gate costs nothing, and one ledger call where somebody has a quota", async () => {
    const service = await register(server, { redirect_uris: [], grant_types: ["client_credentials"], scope: "a", default_resource: "https://portal.example/" });
    const { body } = await ask(server, "/oauth/token", service, { grant_type: "client_credentials" });
    const about = { "x-edgemint-proxy": PROXY_SECRET, "x-original-url": "https://portal.example/", "x-original-method": "GET" };
    const headers = { ...about, authorization: `Bearer ${body.access_token}` };
    const cookie = Array.from(visitor.cookies, ([name, value]) => `${name}=${value}`).join("; ");
    const gate = async (/** @type {string} */ name, /** @type {Record<string, string>} */ given) => (await fetch(`${server.url}/ingress/auth?service=${name}`, { headers: given })).status;
    for (const given of [headers, { ...about, cookie }, about]) await gate("portal", given);
    const [spent] = await cost(async () => {
      for (let times = 0; times < 20; times += 1) {
        assert.equal(await gate("portal", headers), 200);
        assert.equal(await gate("portal", { ...about, cookie }), 200);
        assert.equal(await gate("portal", about), 401);
      }
    });
    assert.deepEqual(spent, {});
    const [first] = await cost(() => gate("portal&delegate_to=portal", headers));
    assert.deepEqual(first, { "worker ledger": 1 });
    const [again] = await cost(() => gate("portal&delegate_to=portal", headers));
    assert.deepEqual(again, {});
    const [counted, status] = await cost(() => gate("counted", headers));
    assert.deepEqual([counted, status], [{ "worker ledger": 1 }, 200]);
  });

  test("a dead cookie and a dead token cost one ledger call at most, and nobody else anything", async () => {
    const person = { username: "leaving", password: "long enough to leave" };
    const { body: made } = await api(server, "/api/v1/accounts/", { first_name: "L", last_name: "V", ...person });
    const leaving = browser(server);
    await leaving.walk(authorizeUrl(server, client), person);
    const { body: own } = await ofOwn(server, leaving, "POST", "/api/v1/users/me/tokens", undefined, { token_name: "t", scopes: [] });
    const about = { "x-edgemint-proxy": PROXY_SECRET, "x-original-url": "https://portal.example/", "x-original-method": "GET" };
    const gate = async (/** @type {Record<string, string>} */ given) => (await fetch(`${server.url}/ingress/auth?service=portal`, { headers: { ...about, ...given } })).status;
    const [cookie, stays] = [cookieOf(leaving), cookieOf(visitor)];
    const authorization = `Bearer ${own.token}`;
    assert.deepEqual([await gate({ cookie }), await gate({ authorization }), await gate({ cookie: stays })], [200, 200, 200]);
    // Ends both by the person's generation: the feed names neither.
    assert.equal((await api(server, `/api/v1/accounts/${made.id}/`, { password: "another long one" }, "PATCH")).status, 200);
    await gate({ cookie: stays });
    // Of the token the row is known, with what ends it.
    for (const [dead, costs] of /** @type {[Record<string, string>, object][]} */ ([
      [{ cookie }, { "worker ledger": 1 }],
      [{ authorization }, {}],
    ])) {
      const [first] = await cost(async () => [await gate(dead), await gate({ cookie: stays })]);
      assert.deepEqual(first, costs);
      const [then] = await cost(async () => {
        for (let times = 0; times < 20; times += 1) assert.deepEqual([await gate(dead), await gate({ cookie: stays })], [401, 200]);
      });
      assert.deepEqual(then, {});
    }
  });

  test("an assertion costs the one ledger call that spends it", async () => {
    const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
    const jwks = { keys: [await exportJWK(publicKey)] };
    const metadata = { token_endpoint_auth_method: "private_key_jwt", jwks, redirect_uris: [], grant_types: ["client_credentials"], scope: "a" };
    const { client_id } = await register(server, metadata);
    const issue = async () => {
      const claims = new SignJWT({ iss: client_id, sub: client_id, aud: server.url, jti: randomUUID() });
      const client_assertion = await claims.setProtectedHeader({ alg: "ES256" }).setExpirationTime("1m").sign(privateKey);
      const client_assertion_type = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
      const body = new URLSearchParams({ grant_type: "client_credentials", client_assertion, client_assertion_type });
      return (await read(await fetch(`${server.url}/oauth/token`, { method: "POST", body }))).status;
    };
    assert.equal(await issue(), 200);
    const [spent, status] = await cost(issue);
    assert.equal(status, 200);
    assert.deepEqual(spent, { "worker ledger": 1 });
  });

  test("S1.2: a token that is a ledger row costs one read, and then nothing", async () => {
    const body = JSON.stringify({ username: "bot-ci", token_type: "service", scopes: [] });
    const headers = { authorization: `Bearer ${BOOTSTRAP_TOKEN}`, "content-type": "application/json" };
    const { token } = (await read(await fetch(`${server.url}/api/v1/tokens`, { method: "POST", headers, body }))).body;
    const info = () => fetch(`${server.url}/api/v1/token-info`, { headers: { authorization: `Bearer ${token}` } });
    const [first, { status }] = await cost(info);
    assert.equal(status, 200);
    assert.deepEqual(first, { "worker ledger": 1 });
    const [then] = await cost(() => atOnce(20, info));
    assert.deepEqual(then, {});
  });

  test("who a token belongs to costs one ledger call", async () => {
    const { body } = await exchange(server, client, await code(server, visitor, client));
    const [spent, { status }] = await cost(() => fetch(`${server.url}/oauth/userinfo`, { headers: { authorization: `Bearer ${body.access_token}` } }));
    assert.equal(status, 200);
    assert.deepEqual(spent, { "worker ledger": 1 });
  });

  test("metadata, keys and health cost nothing", async () => {
    const paths = ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/.well-known/jwks.json", "/health", "/nothing"];
    const [spent] = await cost(() => Promise.all(paths.map((path) => fetch(server.url + path))));
    assert.deepEqual(spent, {});
  });

  test("a revocation costs one ledger call, which tells the feed before it is answered", async () => {
    const { body } = await exchange(server, client, await code(server, visitor, client));
    const [spent] = await cost(() => revoke(server, client, body.access_token));
    assert.deepEqual(spent, { "worker ledger": 1, "object feed": 1 });
  });
});
