// @ts-check
// Requests signed by MAC (S3.6), from the token endpoint to whoever checks them: the gate, the service binding and the
// validator in Node.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createValidator, refusalResponse } from "../../build/browser/validator-node.js";
import { root } from "../../scripts/lib/steps.mjs";
import { bodyHashOf, sign, URI } from "./signing.js";
import { ask, atOnce, browser, code, exchange, introspect, read, refresh, register, revoke, serveReady } from "./support.js";

const PROXY_SECRET = "proxy-canary-9wz3kq7xd2hn5vtb8mf4cy";
const RESOURCE = "https://api.example/v1";
const OWNER = "c-resource-server";

/** @typedef {import("./signing.js").Credentials} Credentials */

describe("requests signed by MAC", () => {
  /** @type {import("./support.js").Server} */
  let server;
  /** @type {any} */
  let caller;
  /** @type {import("./support.js").Client} */
  let client;
  /** @type {import("./support.js").Client} */
  let owner;

  before(async () => {
    server = await serveReady({
      bindings: { PROXY_SECRET, EDGEMINT_MAC_ORIGINS: "https://app.example:8443, https://other.example", EDGEMINT_MAC_WINDOW: "30" },
      workers: [
        {
          name: "caller",
          modules: [{ type: "ESModule", path: "caller.js", contents: readFileSync(join(root, "tests/worker/caller.js"), "utf8") }],
          compatibilityDate: "2026-05-03",
          serviceBindings: { OWNER: { name: "edgemint", entrypoint: "Edgemint", props: { client: OWNER } } },
        },
      ],
    });
    owner = await register(server, { client_id: OWNER, redirect_uris: [], grant_types: ["client_credentials"], scope: "a", serves: [RESOURCE] });
    client = await machine();
    caller = await server.mf.getWorker("caller");
  });
  after(() => server.stop());

  /** A client that signs for itself. @param {Record<string, unknown>} [more] */
  const machine = (more) => register(server, { redirect_uris: [], grant_types: ["client_credentials"], scope: "a b", default_resource: RESOURCE, danger_issue_mac_tokens: true, ...more });

  /** @returns {Promise<Credentials>} */
  async function credentials(of = client) {
    const { status, body, text } = await ask(server, "/oauth/token", of, { grant_type: "client_credentials" });
    assert.equal(status, 200, text);
    return body;
  }

  /** @param {string} authorization @param {{ query?: string, method?: string, url?: string }} [asked] */
  async function gate(authorization, { query = "scope=a", method = "GET", url = `https://api.example${URI}` } = {}) {
    const headers = { "x-edgemint-proxy": PROXY_SECRET, "x-original-url": url, "x-original-method": method, authorization };
    return read(await fetch(`${server.url}/ingress/auth?${query}`, { headers }));
  }

  /** @param {string} method @param {unknown[]} values */
  async function call(method, ...values) {
    const answer = await read(await caller.fetch(`http://caller/OWNER/${method}`, { method: "POST", body: JSON.stringify(values) }));
    assert.equal(answer.status, 200, answer.text);
    return answer.body;
  }

  test("S3.6: a client that is switched on is given keys, and every token has its own", async () => {
    const person = await register(server, { danger_issue_mac_tokens: true, danger_issue_mac_tokens_with_hmac_sha_1: true });
    const first = (await exchange(server, person, await code(server, browser(server), person))).body;
    const second = (await refresh(server, person, first.refresh_token)).body;
    const machines = await credentials();
    for (const given of [first, second, machines]) {
      assert.equal(given.token_type, "mac");
      assert.match(given.mac_key, /^[\w-]{43}$/);
      assert.match(given.access_token, /^emm_/);
    }
    assert.deepEqual([first.mac_algorithm, machines.mac_algorithm], ["hmac-sha-1", "hmac-sha-256"]);
    assert.equal(new Set([first.mac_key, second.mac_key, machines.mac_key]).size, 3);
    const app = { uri: "/x", host: "app.example", port: 8443 };
    const query = `service=${person.client_id}`;
    for (const given of [first, second]) {
      const { status, headers } = await gate(sign(given, app), { query, url: "https://app.example:8443/x" });
      assert.deepEqual([status, headers.get("x-auth-request-user")], [200, "admin"]);
    }
    const elsewhere = await gate(sign(first, { ...app, host: "evil.example" }), { query, url: "https://evil.example:8443/x" });
    assert.equal(elsewhere.status, 401);
  });

  test("S3.6: the gate lets a signed request through once, by either draft", async () => {
    const given = await credentials();
    for (const signing of [{}, { age: 0 }, { ext: "a, b" }, { age: 1, ext: "x", nonce: "n" }]) {
      const authorization = sign(given, signing);
      const first = await gate(authorization);
      assert.equal(first.status, 200, first.text);
      assert.match(first.headers.get("x-auth-request-user") ?? "", /^bot-/);
      assert.equal(first.headers.get("authorization"), null);
      const again = await gate(authorization);
      assert.deepEqual([again.status, again.headers.get("www-authenticate"), again.body.code], [401, 'MAC error="the nonce was used before"', "mac_replayed"]);
    }
    const body = "hello=world%21";
    const posted = await gate(sign(given, { age: 0, method: "POST", body }), { method: "POST" });
    assert.equal(posted.headers.get("x-auth-request-body-hash"), `sha-256=${bodyHashOf("hmac-sha-256", body)}`);
  });

  test("S3.6: what was signed otherwise, too early or too late, or by nobody is refused", async () => {
    const given = await credentials();
    const now = Math.floor(Date.now() / 1_000);
    for (const signing of [{ method: "POST" }, { uri: "/v1/bills" }, { host: "evil.example" }, { port: 80 }, { ts: now - 100 }, { ts: now + 100 }, { age: 100 }]) {
      const refused = await gate(sign(given, signing));
      assert.equal(refused.status, 401, JSON.stringify(signing));
      assert.match(refused.headers.get("www-authenticate") ?? "", /^MAC error="/);
      assert.equal(refused.headers.get("x-auth-request-user"), null);
    }
    assert.equal((await gate(sign({ ...given, mac_key: "guess" }))).status, 401);
    assert.equal((await gate("MAC x")).status, 401);
    const little = await gate(sign(given), { query: "scope=admin:token" });
    assert.equal(little.status, 403);
    assert.equal(little.headers.get("www-authenticate"), 'MAC error="the token lacks the scope admin:token", scope="admin:token"');
    assert.equal((await gate(`Bearer ${given.access_token}`)).status, 401);
    assert.equal((await revoke(server, client, given.access_token)).status, 200);
    assert.equal((await gate(sign(given))).status, 401);
  });

  test("S3.6: of many at once exactly one gets through", async () => {
    const given = await credentials();
    for (const ways of [["gate"], ["binding"], ["gate", "binding"]]) {
      const authorization = sign(given);
      const passed = await atOnce(20, async (index) => {
        if (ways[index % ways.length] === "gate") return (await gate(authorization)).status === 200;
        return (await call("validate", { authorization, url: `https://api.example${URI}` })).active === true;
      });
      assert.equal(passed.filter(Boolean).length, 1, ways.join());
    }
  });

  test("S3.6: a bound Worker is told once who signed, and for whom", async () => {
    const given = await credentials();
    const url = `https://internal.example${URI}`;
    const authorization = sign(given);
    const good = await call("validate", { authorization, url }, { scopes: ["a"] });
    assert.deepEqual([good.active, good.client_id, good.aud], [true, client.client_id, RESOURCE]);
    const again = await call("validate", { authorization, url }, { scopes: ["a"] });
    assert.deepEqual(again, { error: "invalid_token", status: 401, challenge: 'MAC error="the nonce was used before"' });
    const little = await call("validate", { authorization: sign(given), url }, { scopes: ["c"] });
    assert.deepEqual([little.error, little.status], ["insufficient_scope", 403]);
    const body = sign(given, { age: 0, method: "POST", body: "x" });
    for (const bodyHash of [undefined, 7, "x", "x\n=y", bodyHashOf("hmac-sha-256", "y")]) {
      const refused = await call("validate", { authorization: body, url, verb: "POST" }, { bodyHash });
      assert.equal(refused.active, undefined, String(bodyHash));
    }
    assert.equal((await call("validate", { authorization: body, url, verb: "POST" }, { bodyHash: bodyHashOf("hmac-sha-256", "x") })).active, true);
    assert.equal((await call("validate", { authorization: `Bearer ${given.access_token}` })).error, "invalid_token");
    assert.deepEqual(await call("validate", { authorization: "MAC x" }), { error: "invalid_token", status: 401, challenge: 'MAC error="the token is invalid, expired, revoked or for others"' });
  });

  describe("the validator in Node", () => {
    /** A store of nonces as one process has it. */
    function spender() {
      const spent = new Set();
      return (/** @type {string} */ nonce) => !spent.has(nonce) && Boolean(spent.add(nonce));
    }

    /** @param {any} [mac] @param {any} [more] */
    function validatorOf(mac = {}, more = {}) {
      return createValidator({
        issuer: server.url,
        audience: RESOURCE,
        introspection: { clientId: OWNER, clientSecret: /** @type {string} */ (owner.client_secret) },
        ...(mac === null ? {} : { mac: { origin: "https://api.example", spend: spender(), ...mac } }),
        ...more,
      });
    }

    /** What a server got. @param {string} authorization @param {any} [more] */
    const got = (authorization, { method = "GET", url = `http://10.0.0.1:3000${URI}` } = {}) => ({ method, url, headers: new Headers({ authorization }) });

    test("S3.6: a signed request counts once, with the key that the issuer tells the resource", async () => {
      const ways = {
        introspection: validatorOf(),
        binding: validatorOf({}, { introspection: undefined, binding: { validate: () => ({}), introspect: (/** @type {string} */ token) => call("introspect", token) } }),
      };
      const [given, old] = [await credentials(), await credentials(await machine({ danger_issue_mac_tokens_with_hmac_sha_1: true }))];
      for (const [way, { validate }] of Object.entries(ways)) {
        for (const one of [given, old]) {
          for (const signing of [{}, { age: 0 }, { ext: "a,b,c" }]) {
            const authorization = sign(one, signing);
            const good = await validate(got(authorization), { scopes: ["a"] });
            assert.ok(good.active, `${way} ${JSON.stringify(good)}`);
            assert.equal(good.aud, RESOURCE);
            const again = await validate(got(authorization));
            assert.ok(!again.active && again.cause === "mac_replayed" && again.challenge === 'MAC error="the nonce was used before"');
            assert.equal(refusalResponse(again).headers.get("www-authenticate"), again.challenge);
          }
          const authorization = sign(one, { age: 0, method: "POST", body: "é" });
          const cause = async (/** @type {any} */ required) => /** @type {any} */ (await validate(got(authorization, { method: "post" }), required)).cause;
          assert.deepEqual([await cause({}), await cause({ body: "e" }), await cause({ bodyHash: "x" })], ["mac_body_unknown", "mac_for_other_body", "mac_for_other_body"]);
          assert.ok((await validate(got(authorization, { method: "POST" }), { body: new TextEncoder().encode("é") })).active);
        }
        // Path and query as the server got them, where its framework has rewritten the URL.
        assert.ok((await validate(got(sign(given), { url: "http://x/rewritten" }), { uri: URI })).active);
      }
    });

    test("S3.6: everything else is refused, and spends nothing", async () => {
      /** @type {string[]} */
      const spent = [];
      const { validate } = validatorOf({ spend: (/** @type {string} */ nonce) => Boolean(spent.push(nonce)) });
      const given = await credentials();
      const other = await credentials(await machine({ default_resource: "https://other.example/" }));
      const now = Math.floor(Date.now() / 1_000);
      for (const [authorization, cause, required] of /** @type {[string, string, any?][]} */ ([
        [sign(given, { host: "10.0.0.1", port: 3000 }), "mac_mismatch"],
        [sign(given, { host: "evil.example" }), "mac_mismatch"],
        [sign(given, { uri: "/v1" }), "mac_mismatch"],
        [sign({ ...given, mac_key: "guess" }), "mac_mismatch"],
        [sign(given, { ts: now - 100 }), "mac_out_of_time"],
        [sign(given), "insufficient_scope", { scopes: ["c"] }],
        [sign({ ...given, access_token: "emm_nonsense" }), "token_unknown"],
        [sign(other), "token_unknown"],
        ["MAC x", "mac_malformed"],
        [`Bearer ${given.access_token}`, "token_unknown"],
      ])) {
        const refused = await validate(got(authorization), required);
        assert.ok(!refused.active && refused.cause === cause, `${cause} ${JSON.stringify(refused)}`);
        assert.match(refused.challenge ?? "", authorization.startsWith("MAC") ? /^MAC error="/ : /^Bearer /);
      }
      assert.deepEqual(spent, []);
      const without = await validatorOf(null).validate(got(sign(given)));
      assert.ok(!without.active && without.cause === "no_token");
    });

    test("S3.6: without somebody who spends nonces there is no verdict", async () => {
      const given = await credentials();
      for (const mac of [{ spend: undefined }, { spend: true }, { origin: undefined }, { origin: "api.example" }, { origin: "https://api.example/v1" }, { window: 1 }, { window: 301 }]) {
        assert.throws(() => validatorOf(mac), { code: "options_invalid" }, JSON.stringify(mac));
      }
      assert.throws(() => validatorOf({}, { introspection: undefined }), { code: "options_invalid" });
      await assert.rejects(validatorOf().validate(sign(given)), { code: "options_invalid" });
      for (const spend of [
        () => {
          throw new Error("away");
        },
        async () => Promise.reject(new Error("away")),
        () => undefined,
        () => 1,
      ]) {
        const refused = await validatorOf({ spend }).validate(got(sign(given)));
        assert.ok(!refused.active);
        assert.deepEqual([refused.error, refused.status, refused.cause, refused.challenge], ["unavailable", 503, "nonce_unspent", null]);
      }
      const away = validatorOf({}, { fetch: () => Promise.reject(new Error("away")) });
      const refused = await away.validate(got(sign(given)));
      assert.ok(!refused.active && refused.cause === "issuer_away" && refused.status === 503);
    });
  });

  test("S3.6: the key is told to the resource alone", async () => {
    const given = await credentials();
    const told = (await introspect(server, owner, given.access_token)).body;
    assert.deepEqual([told.token_type, told.mac_key, told.mac_algorithm], ["mac", given.mac_key, "hmac-sha-256"]);
    const own = (await introspect(server, client, given.access_token)).body;
    assert.deepEqual([own.active, own.token_type, own.mac_key], [true, "mac", undefined]);
    assert.deepEqual((await introspect(server, await machine(), given.access_token)).body, { active: false });
  });
});
