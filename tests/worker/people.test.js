// @ts-check
// Users, accounts and groups over HTTP, in the real directory: what races, what is refused, what stays.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ADMINISTRATOR, api, atOnce, authorizeUrl, browser, exchange, introspect, made, refresh, register, serveReady } from "./support.js";

const PASSWORD = "correct horse battery";

describe("people", () => {
  const persist = mkdtempSync(join(tmpdir(), "edgemint-people-"));
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
  const call = (method, path, body) => api(server, `/api/v1/${path}`, body, method);

  /** @param {string} username */
  const user = async (username) => (await call("GET", `users/?username=${username}`)).body.results[0];

  /** What somebody gets who signs in. @param {import("./support.js").Client} client @param {string} username */
  async function tokens(client, username) {
    const { location } = await browser(server).walk(authorizeUrl(server, client), { username, password: PASSWORD });
    return (await exchange(server, client, location?.searchParams.get("code") ?? "")).body;
  }

  test("S4.3: of twenty that ask for one username at once, one gets it, and nothing of the others is left", async () => {
    const statuses = (await atOnce(20, () => call("POST", "users/", { username: "wanted" }))).map(({ status }) => status);
    assert.deepEqual(statuses.sort(), [201, ...Array(19).fill(409)]);
    assert.equal((await call("GET", "users/?search=wanted")).body.pagination.count, 1);
  });

  test("S0.7: of the last two administrators who go at once, one stays", async () => {
    const admin = await user(ADMINISTRATOR.username);
    const boss = await made(server, "groups/", { name: "Bosses", is_superuser: true });
    const ways = [
      /** @param {any} other */ (other) => call("DELETE", `users/${other.pk}/`),
      /** @param {any} other */ (other) => call("PATCH", `users/${other.pk}/`, { is_active: false }),
      /** @param {any} other */ (other) => call("PATCH", `users/${other.pk}/`, { groups: [] }),
      () => call("PATCH", `groups/${boss.pk}/`, { is_superuser: false }),
      () => call("DELETE", `groups/${boss.pk}/`),
    ];
    for (const [index, way] of ways.entries()) {
      const group = index === 4 ? boss : (await call("PATCH", `groups/${boss.pk}/`, { is_superuser: true })).body;
      const other = await made(server, "users/", { username: `boss${index}`, groups: [group.pk] });
      const [first, second] = await Promise.all([way(other), call("PATCH", `users/${admin.pk}/`, { scopes: "" })]);
      const statuses = [first.status, second.status].sort();
      assert.ok(statuses[0] < 300 && statuses[1] === 409, `${index}: ${statuses}`);
      const scopes = (await user(ADMINISTRATOR.username)).scopes;
      assert.equal(scopes.length > 0, second.status === 409);
      await call("PATCH", `users/${admin.pk}/`, { scopes: "admin:token" });
      if (index < 4) await call("DELETE", `users/${other.pk}/`);
    }
  });

  test("S0.3: whoever is disabled, deleted or has another password loses what they had, wherever it is asked about", async () => {
    const client = await register(server);
    for (const [method, body] of /** @type {[string, unknown][]} */ ([
      ["PATCH", { is_active: false }],
      ["PATCH", { password: "another long password" }],
      ["DELETE", undefined],
    ])) {
      const username = `eve-${method.toLowerCase()}${Object.keys(body ?? {}).join("")}`.replace("is_active", "off");
      const eve = await made(server, "users/", { username, password: PASSWORD });
      const held = await tokens(client, username);
      assert.equal((await introspect(server, client, held.access_token)).body.active, true);
      assert.ok((await call(method, `users/${eve.pk}/`, body)).status < 300);
      assert.equal((await introspect(server, client, held.access_token)).body.active, false);
      assert.equal((await refresh(server, client, held.refresh_token)).body.error, "invalid_grant");
    }
  });

  test("S4.3: what a group gives reaches a shard, and ends when the group above gives it no more", async () => {
    const client = await register(server, { scope: "openid offline_access admin:token", danger_allow_management_scopes: true });
    const outer = await made(server, "groups/", { name: "Outer", is_superuser: true });
    const inner = await made(server, "groups/", { name: "Inner", parent: outer.pk });
    await made(server, "users/", { username: "member", password: PASSWORD, groups: [inner.pk] });
    const url = authorizeUrl(server, client, { scope: "openid offline_access admin:token" });
    const { location } = await browser(server).walk(url, { username: "member", password: PASSWORD });
    const held = (await exchange(server, client, location?.searchParams.get("code") ?? "")).body;
    assert.match(held.scope, /admin:token/);
    assert.equal((await call("PATCH", `groups/${outer.pk}/`, { is_superuser: false })).status, 200);
    assert.equal((await introspect(server, client, held.access_token)).body.active, false);
    assert.doesNotMatch((await refresh(server, client, held.refresh_token)).body.scope, /admin:token/);
  });

  test("what is refused names its field, and nothing of it is written", async () => {
    const earlier = await everything();
    const outer = (await call("GET", "groups/?name=Outer")).body.results[0];
    const inner = (await call("GET", "groups/?name=Inner")).body.results[0];
    for (const [method, path, body, status, field] of /** @type {[string, string, unknown, number, string][]} */ ([
      ["POST", "users/", { username: "x", colour: "red" }, 400, "colour"],
      ["POST", "users/", { username: "x", groups: [99] }, 400, "groups"],
      ["POST", "users/", { username: "x", scopes: "ghost" }, 400, "scopes"],
      ["POST", "users/", { username: "x", attributes: { a: "x".repeat(5000) } }, 400, "attributes"],
      ["POST", "users/", { username: "member" }, 409, ""],
      ["POST", "users/", { username: "member", groups: [99] }, 409, ""],
      ["POST", "accounts/", { username: "y", first_name: "a", last_name: "b" }, 400, "password"],
      ["PATCH", `groups/${outer.pk}/`, { parent: inner.pk }, 400, "parent"],
      ["PATCH", `groups/${outer.pk}/`, { name: "Inner" }, 409, ""],
      ["PATCH", "users/99/", { name: "x" }, 404, ""],
      ["GET", "users/?page=18446744073709551615", undefined, 404, ""],
      ["GET", "users/?is_superuser=true", undefined, 400, "is_superuser"],
    ])) {
      const answer = await call(method, path, body);
      assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`);
      assert.equal(answer.headers.get("content-type"), "application/problem+json");
      if (field !== "") assert.ok(Array.isArray(answer.body[field]), answer.text);
    }
    assert.deepEqual(await everything(), earlier);
  });

  test("S0.6: what was made is there after a restart, in the words of either seed", async () => {
    const text = { first_name: "Zoë", last_name: "%_\\\"'", username: "zoe", password: PASSWORD, scopes: ["openid"] };
    const account = await made(server, "accounts/", text);
    await call("PATCH", `users/${account.id}/`, { attributes: { "é\u0000": [1.5, null, true, 9007199254740991] } });
    const earlier = await everything();
    await server.reload();
    assert.deepEqual(await everything(), earlier);
    assert.equal((await call("GET", `accounts/?search=${encodeURIComponent("%_\\\"'")}`)).body.results[0].first_name, "Zoë");
    assert.ok((await tokens(await register(server), "zoe")).access_token);
  });

  async function everything() {
    const all = await Promise.all(["users", "groups", "roles", "scopes"].map((path) => call("GET", `${path}/?page_size=100`)));
    return all.map(({ body }) => body);
  }
});
