// @ts-check
// A deployment that is closed, as its settings say it (row S2.8): what a resource lives by goes on, all else is refused
// with a time to come back, and opening it again finds everything as it was.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { root } from "../../scripts/lib/steps.mjs";
import { api, ask, authorizeUrl, browser, code, exchange, introspect, read, refresh, register, serve, serveReady } from "./support.js";

const RESOURCE = "https://resource.example/";
const OWNER = "c-resource-server";
const PROXY_SECRET = "proxy-canary-7hq2xw9ncz4kd5vtb8mf3y";
const ERROR_URI = "https://docs.example/errors#";

describe("maintenance", () => {
  /** @type {import("./support.js").Server} */
  let server;
  /** @type {import("./support.js").Client} */
  let client;
  /** @type {import("./support.js").Client} */
  let owner;
  /** @type {any} what a token request gave before */
  let tokens;

  before(async () => {
    server = await serveReady({
      bindings: { PROXY_SECRET, ERROR_URI },
      workers: [
        {
          name: "caller",
          modules: [{ type: "ESModule", path: "caller.js", contents: readFileSync(join(root, "tests/worker/caller.js"), "utf8") }],
          compatibilityDate: "2026-05-03",
          serviceBindings: { OWNER: { name: "edgemint", entrypoint: "Edgemint", props: { client: OWNER } } },
        },
      ],
    });
    owner = await register(server, { redirect_uris: [], grant_types: ["client_credentials"], scope: "a", client_id: OWNER, serves: [RESOURCE] });
    client = await register(server, { default_resource: RESOURCE });
    tokens = (await exchange(server, client, await code(server, browser(server), client))).body;
  });
  after(() => server.stop());

  /** As a deployment with another value of the setting; what is stored stays. @param {unknown} value */
  async function available(value) {
    const bindings = /** @type {Record<string, unknown>} */ (server.bindings);
    if (value === undefined) delete bindings.AVAILABLE;
    else bindings.AVAILABLE = value;
    await server.reload();
  }

  const get = async (/** @type {string | URL} */ path) => read(await fetch(new URL(path, server.url), { redirect: "manual" }));

  /** What is refused while it is closed: each leaves everything as it is. @type {[string, () => Promise<import("./support.js").Answer>][]} */
  const closed = [
    ["a token request", () => refresh(server, client, tokens.refresh_token)],
    ["a revocation", () => ask(server, "/oauth/revoke", client, { token: tokens.access_token })],
    ["an authorization request", () => get(authorizeUrl(server, client))],
    ["a sign-in", () => get("/login")],
    ["readiness", () => get("/ready")],
    ["a route of the management API", () => api(server, "/api/v1/scopes/")],
    ["a change by the management API", () => api(server, "/api/v1/scopes/", { name: "x", value: "x" })],
  ];

  /** The gate's answer about the token. */
  const gate = async () => {
    const headers = { "x-edgemint-proxy": PROXY_SECRET, "x-original-url": RESOURCE, "x-original-method": "GET", authorization: `Bearer ${tokens.access_token}` };
    return read(await fetch(`${server.url}/ingress/auth?scope=openid`, { headers }));
  };

  /** @param {string} method @param {...unknown} values */
  async function bound(method, ...values) {
    const caller = await server.mf.getWorker("caller");
    return read(/** @type {any} */ (await caller.fetch(`http://caller/OWNER/${method}`, { method: "POST", body: JSON.stringify(values) })));
  }

  for (const value of ["0", 0]) {
    describe(`AVAILABLE=${JSON.stringify(value)}`, () => {
      before(() => available(value));
      after(() => available(undefined));

      for (const [what, asked] of closed) {
        test(`${what} is refused for now`, async () => {
          const { status, headers, text } = await asked();
          assert.deepEqual([status, headers.get("retry-after")], [503, "60"], text);
        });
      }

      test("the protocol's refusal has its code and where it is explained", async () => {
        const { body } = await refresh(server, client, tokens.refresh_token);
        assert.deepEqual([body.error, body.error_uri], ["temporarily_unavailable", `${ERROR_URI}temporarily_unavailable`]);
        assert.equal((await api(server, "/api/v1/scopes/")).body.code, "maintenance");
      });

      test("metadata, key sets and health are there", async () => {
        for (const path of ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/.well-known/jwks.json", "/health"]) {
          assert.equal((await get(path)).status, 200, path);
        }
        assert.ok((await get("/.well-known/jwks.json")).body.keys.length > 0);
      });

      test("tokens are judged as ever: by introspection, at the gate and over the binding", async () => {
        assert.equal((await introspect(server, owner, tokens.access_token)).body.active, true);
        assert.deepEqual((await introspect(server, owner, "nonsense")).body, { active: false });
        const passed = await gate();
        assert.deepEqual([passed.status, passed.headers.get("x-auth-request-user")], [200, "admin"]);
        const authorization = (/** @type {string} */ token) => ({ authorization: `Bearer ${token}` });
        const { body } = await bound("validate", authorization(tokens.access_token), { scopes: ["openid"] });
        assert.deepEqual([body.active, body.client_id], [true, client.client_id]);
        assert.equal((await bound("validate", authorization("nonsense"))).body.error, "invalid_token");
        // To end one is no judgement.
        const ended = await bound("revoke", tokens.access_token);
        assert.deepEqual([ended.body.error, ended.body.status], ["unavailable", 503]);
      });
    });
  }

  for (const value of [undefined, "", "1"]) {
    test(`AVAILABLE=${JSON.stringify(value)} is open, with what was there before`, async () => {
      await available(value);
      for (const path of ["/ready", "/login"]) assert.equal((await get(path)).status, 200, path);
      const { results } = (await api(server, "/api/v1/scopes/?page_size=100")).body;
      assert.ok(results.length > 0 && results.every((/** @type {any} */ scope) => scope.value !== "x"), JSON.stringify(results));
      assert.equal((await introspect(server, owner, tokens.access_token)).body.active, true);
      const renewed = await refresh(server, client, tokens.refresh_token);
      assert.equal(renewed.status, 200, renewed.text);
      tokens = renewed.body;
    });
  }

  test("an error says where it is explained, at the token endpoint and by redirect", async () => {
    await available(undefined);
    const { body } = await exchange(server, client, "nonsense");
    assert.deepEqual([body.error, body.error_uri], ["invalid_grant", `${ERROR_URI}invalid_grant`]);
    const led = await get(authorizeUrl(server, client, { scope: "nonsense" }));
    const location = new URL(led.headers.get("location") ?? "");
    assert.equal(location.searchParams.get("error_uri"), `${ERROR_URI}invalid_scope`);
  });

  for (const [name, value] of /** @type {[string, unknown][]} */ ([
    ["AVAILABLE", "yes"],
    ["AVAILABLE", "true"],
    ["AVAILABLE", false],
    ["AVAILABLE", "00"],
    ["ERROR_URI", "nonsense"],
    ["ERROR_URI", "https://docs.example/\"x"],
  ])) {
    test(`OPS-2: ${name}=${JSON.stringify(value)} is refused by name, and nothing is served`, async () => {
      const other = await serve({ bindings: /** @type {any} */ ({ [name]: value }) });
      try {
        for (const path of ["/.well-known/openid-configuration", "/health", "/ready"]) {
          const answer = await read(await fetch(other.url + path));
          assert.deepEqual([answer.status, answer.body.error], [503, "temporarily_unavailable"], path);
        }
        assert.match(other.lines.join("\n"), new RegExp(`"refusing_to_serve":"${name}","remedy":"set it to`));
      } finally {
        await other.stop();
      }
    });
  }
});
