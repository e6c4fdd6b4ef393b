// @ts-check
// Scopes and roles over HTTP: in the real directory, and in every shard.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { BOOTSTRAP_TOKEN, api, authorizeUrl, browser, exchange, introspect, read, register, serveReady } from "./support.js";

const PERSON = { username: "eve", password: "correct horse battery" };

describe("records", () => {
  const persist = mkdtempSync(join(tmpdir(), "edgemint-records-"));
  /** @type {import("./support.js").Server} */
  let server;
  before(async () => (server = await serveReady({ persist })));
  after(async () => {
    await server.stop();
    rmSync(persist, { recursive: true, force: true });
  });

  /**
   * @param {string} method
   * @param {string} path
   * @param {unknown} [body]
   */
  const call = async (method, path, body) =>
    read(
      await fetch(server.url + path, {
        method,
        headers: { authorization: `Bearer ${BOOTSTRAP_TOKEN}`, ...(body ? { "content-type": "application/json" } : {}) },
        body: body && JSON.stringify(body),
      }),
    );

  test("S0.2: a role reaches its holder on whichever shard, and what it takes back ends", async () => {
    assert.equal((await call("POST", "/api/v1/scopes/", { name: "Reports", value: "reports" })).status, 201);
    const role = await call("POST", "/api/v1/roles/", { role_name: "Reader", role_scopes: ["reports"] });
    assert.deepEqual([role.status, role.body.scopes[0].value], [201, "reports"]);
    const client = await register(server, { scope: "openid offline_access reports" });
    /** @type {any[]} */
    const held = [];
    for (const username of ["eve", "eva", "evi"]) {
      const account = { ...PERSON, username, first_name: "E", last_name: "V", roles: ["Reader"] };
      assert.equal((await api(server, "/api/v1/accounts/", account)).status, 201);
      const visitor = browser(server);
      const { location } = await visitor.walk(authorizeUrl(server, client, { scope: "openid offline_access reports" }), { ...PERSON, username });
      const tokens = (await exchange(server, client, location?.searchParams.get("code") ?? "")).body;
      assert.match(tokens.scope, /reports/);
      held.push(tokens);
    }
    const location = `/api/v1/roles/${role.body.id}/`;
    assert.equal((await call("PATCH", location, { scopes: "" })).status, 200);
    for (const { access_token } of held) assert.equal((await introspect(server, client, access_token)).body.active, false);
  });

  test("a person may hold more through roles than one request may name, and nothing is stuck", async () => {
    const [a, b] = ["a", "b"].map((half) => Array.from({ length: 40 }, (_, number) => `${half}${number}`));
    for (const value of [...a, ...b]) assert.equal((await call("POST", "/api/v1/scopes/", { name: value, value })).status, 201);
    const first = await call("POST", "/api/v1/roles/", { name: "First", scopes: a });
    assert.equal((await call("POST", "/api/v1/roles/", { name: "Second", scopes: b })).status, 201);
    const account = { ...PERSON, username: "both", first_name: "B", last_name: "H", roles: ["First", "Second"] };
    assert.equal((await api(server, "/api/v1/accounts/", account)).status, 201);
    assert.equal((await call("PATCH", `/api/v1/roles/${first.body.id}/`, { scopes: a.slice(1) })).status, 200);
    const client = await register(server, { scope: "openid b1" });
    const { location } = await browser(server).walk(authorizeUrl(server, client, { scope: "openid b1" }), { ...PERSON, username: "both" });
    const { body } = await exchange(server, client, location?.searchParams.get("code") ?? "");
    assert.equal(body.scope, "b1 openid");
  });

  test("what was made is there after a restart, and was seeded once", async () => {
    const earlier = (await call("GET", "/api/v1/scopes/?page_size=100")).body;
    await server.reload();
    assert.deepEqual((await call("GET", "/api/v1/scopes/?page_size=100")).body, earlier);
    assert.equal(earlier.results.filter((/** @type {any} */ scope) => scope.value === "openid").length, 1);
  });

  test("of ten that ask for one name at once, one gets it", async () => {
    const asked = Array.from({ length: 10 }, () => call("POST", "/api/v1/roles/", { name: "Only one" }));
    const statuses = (await Promise.all(asked)).map(({ status }) => status);
    assert.deepEqual(statuses.sort(), [201, ...Array(9).fill(409)]);
  });

  test("HEAD, an unknown path and a body that is no JSON are answered in the API's own shape", async () => {
    assert.equal((await call("HEAD", "/api/v1/roles/")).status, 200);
    for (const [method, path, body, status] of /** @type {[string, string, unknown, number][]} */ ([
      ["GET", "/api/v1/nothing/", undefined, 404],
      ["GET", "/api/v1/roles/999999/", undefined, 404],
      ["POST", "/api/v1/roles/", "text", 400],
      ["PUT", "/api/v1/roles/", { name: "a" }, 405],
    ])) {
      const answer = await call(method, path, body);
      assert.equal(answer.status, status, `${method} ${path}`);
      assert.equal(answer.headers.get("content-type"), "application/problem+json");
    }
  });
});
