// @ts-check
// Rows of a shard that cannot be read, or are of another shape: whoever shows what they are about is told that it cannot be
// found out. It is never a yes, nobody else notices, nothing is lost, and all of it can be ended.
import assert from "node:assert/strict";
import { globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, test } from "node:test";
import { startObjects } from "./objects.js";
import { ADMINISTRATOR, api, ask, authorizeUrl, browser, cookieOf, ofOwn, read, register, serve, serveReady } from "./support.js";

const PROXY_SECRET = "proxy-canary-of-the-corrupted-5g7hq2";
const TOKENS = "/api/v1/users/admin/tokens";
/** What a row may be instead of what it was: no text of ours, no JSON, JSON of another shape. */
const GARBAGE = ["", "x", "null", "[]", '{"key":7}', '{"scopes":"admin:token","subject":null}', "{".repeat(10_000), "\u{FFFD}"];

describe("rows of a shard that are corrupted", () => {
  const persist = mkdtempSync(join(tmpdir(), "edgemint-corrupted-"));
  const bindings = { PROXY_SECRET, EDGEMINT_LOG: "all" };
  /** @type {import("./support.js").Server} */
  let server;
  /** @type {import("./support.js").Client} */
  let resource;
  /** @type {ReturnType<typeof browser>} */
  let visitor;
  /** @type {string[]} */
  const lines = [];

  before(async () => {
    server = await serveReady({ persist, bindings });
    await api(server, "/api/v1/scopes/", { name: "read", value: "read" });
    resource = await register(server, { grant_types: ["client_credentials"], redirect_uris: [] });
    const found = (await api(server, `/api/v1/providers/oauth2/?client_id=${resource.client_id}`)).body.results[0];
    const served = await api(server, `/api/v1/providers/oauth2/${found.pk}/`, { serves: ["https://api.example"] }, "PATCH");
    assert.equal(served.status, 200, served.text);
    visitor = await signedIn();
  });
  after(async () => {
    await server.stop();
    rmSync(persist, { recursive: true, force: true });
    lines.push(...server.lines);
    const faults = lines.filter((line) => /"reason":"internal"|"status":500|panicked|RuntimeError/.test(line));
    assert.deepEqual(faults, [], "something failed inside, or trapped");
  });

  async function signedIn() {
    const somebody = browser(server);
    await somebody.walk(authorizeUrl(server, await register(server)), ADMINISTRATOR);
    return somebody;
  }

  /** @param {string} method @param {string} path @param {unknown} [body] */
  const own = (method, path, body) => ofOwn(server, visitor, method, path, undefined, body);

  /** @param {string} token_name */
  async function made(token_name) {
    const answer = await own("POST", TOKENS, { token_name, scopes: ["admin:token", "user:token"] });
    assert.equal(answer.status, 201, answer.text);
    return { token: answer.body.token, path: new URL(answer.headers.get("location") ?? "").pathname };
  }

  /** @param {Record<string, string>} headers @param {string} [query] */
  async function gate(headers, query = "") {
    const proxy = { "x-edgemint-proxy": PROXY_SECRET, "x-original-url": "https://portal.example/x", "x-original-method": "GET" };
    return read(await fetch(`${server.url}/ingress/auth?${query}`, { headers: { ...proxy, ...headers } }));
  }

  /** @param {string} token */
  async function child(token) {
    const answer = await gate({ authorization: `Bearer ${token}` }, "notebook=true");
    assert.equal(answer.status, 200, answer.text);
    return answer.headers.get("x-auth-request-token") ?? "";
  }

  /** What a token is, by every way of asking: the statuses, and whether it is active. @param {string} token */
  async function verdicts(token) {
    const authorization = `Bearer ${token}`;
    const answers = [
      await gate({ authorization }),
      await read(await fetch(`${server.url}/api/v1/token-info`, { headers: { authorization } })),
      await ask(server, "/oauth/introspect", resource, { token }),
      await ask(server, "/oauth/check_token", resource, { token }),
    ];
    for (const { status, headers } of answers) if (status === 503) assert.ok(headers.has("retry-after"));
    return answers.map(({ status, body }) => body?.active ?? status);
  }

  /**
   * Has every shard's database changed while nobody is there.
   *
   * @param {(database: DatabaseSync) => void} change
   */
  async function meanwhile(change) {
    const { url } = server;
    lines.push(...server.lines);
    await server.stop();
    for (const file of globSync(join(persist, "**/*.sqlite"))) {
      const database = new DatabaseSync(file);
      try {
        if (database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'tokens'").get()) change(database);
      } finally {
        database.close();
      }
    }
    server = await serve({ persist, bindings, port: Number(new URL(url).port) });
  }

  test("a token whose row is unreadable is told to be unknown, to nobody's harm, until it is repaired or ended", async () => {
    const good = await made("good");
    const bent = [];
    for (const [index, garbage] of GARBAGE.entries()) bent.push({ ...(await made(`bent ${index}`)), garbage });
    /** @type {Map<string, string>} */
    const rows = new Map();
    await meanwhile((database) => {
      for (const { path, garbage } of bent) {
        const key = path.split("/").at(-1) ?? "";
        const kept = database.prepare("SELECT row FROM tokens WHERE key = ?").get(key);
        if (kept === undefined) continue;
        rows.set(key, String(kept.row));
        database.prepare("UPDATE tokens SET row = ? WHERE key = ?").run(garbage, key);
      }
    });
    assert.equal(rows.size, bent.length);
    for (const { token, path, garbage } of bent) {
      assert.deepEqual(await verdicts(token), [503, 503, 503, 503], garbage);
      assert.equal((await own("GET", path)).status, 503, garbage);
    }
    assert.deepEqual(await verdicts(good.token), [200, 200, true, true]);
    const list = await own("GET", TOKENS);
    assert.equal(list.status, 200, list.text);
    assert.deepEqual(list.body.filter((/** @type {any} */ { token_name }) => token_name).map((/** @type {any} */ { token_name }) => token_name), ["good"]);
    // Its name is not taken away from it by another one.
    assert.equal((await own("POST", TOKENS, { token_name: "bent 0", scopes: [] })).status, 409);
    assert.equal((await own("POST", TOKENS, { token_name: "another", scopes: [] })).status, 201);
    // A scope that is deleted is taken from services' tokens, whatever stands beside them.
    const scope = (await api(server, "/api/v1/scopes/?name=read")).body.results[0];
    assert.equal((await api(server, `/api/v1/scopes/${scope.id}/`, undefined, "DELETE")).status, 204);
    // Who repairs one has it back as it was: nothing was written over.
    const [repaired, ...ended] = bent;
    await meanwhile((database) => {
      const key = repaired.path.split("/").at(-1) ?? "";
      database.prepare("UPDATE tokens SET row = ? WHERE key = ?").run(rows.get(key) ?? "", key);
    });
    assert.deepEqual(await verdicts(repaired.token), [200, 200, true, true]);
    for (const { token, path, garbage } of ended) {
      const answer = await own("DELETE", path);
      assert.equal(answer.status, 204, `${garbage}: ${answer.text}`);
      assert.deepEqual(await verdicts(token), [401, 401, false, false], garbage);
    }
  });

  test("a child whose row is unreadable is made anew, and dies with its parent", async () => {
    for (const garbage of ["{", "null"]) {
      const parent = await made(`parent of ${garbage}`);
      const first = await child(parent.token);
      const key = parent.path.split("/").at(-1) ?? "";
      await meanwhile((database) => database.prepare("UPDATE tokens SET row = ? WHERE parent = ?").run(garbage, key));
      assert.deepEqual(await verdicts(first), [503, 503, 503, 503]);
      const second = await child(parent.token);
      assert.notEqual(second, first);
      assert.deepEqual(await verdicts(second), [200, 200, true, true]);
      // What its parent loses, it does not write over.
      assert.equal((await api(server, "/api/v1/token-info")).status, 401);
      assert.equal((await own("PATCH", parent.path, { scopes: ["user:token"] })).status, 200);
      assert.deepEqual(await verdicts(first), [503, 503, 503, 503]);
      assert.equal((await own("DELETE", parent.path)).status, 204);
      for (const token of [parent.token, first, second]) assert.deepEqual(await verdicts(token), [401, 401, false, false], garbage);
    }
  });

  test("a session whose row is unreadable is nobody's, and can be ended from another one", async () => {
    const somebody = await signedIn();
    const cookie = cookieOf(somebody);
    assert.equal((await gate({ cookie })).status, 200);
    const notebook = (await gate({ cookie }, "notebook=true")).headers.get("x-auth-request-token") ?? "";
    /** @type {string} */
    let id = "";
    for (const garbage of ["", "x", "null", "{}", "[1]"]) {
      await meanwhile((database) => {
        const newest = database.prepare("SELECT session FROM sessions WHERE session = ? OR ? = '' ORDER BY created_at DESC LIMIT 1").get(id, id);
        if (newest === undefined) return;
        id = String(newest.session);
        database.prepare("UPDATE sessions SET authentication = ? WHERE session = ?").run(garbage, id);
      });
      const answer = await gate({ cookie });
      assert.equal(answer.status, 503, `${garbage}: ${answer.text}`);
      const info = await read(await fetch(`${server.url}/api/v1/token-info`, { headers: { cookie, "sec-fetch-site": "same-origin" } }));
      assert.equal(info.status, 503, garbage);
      assert.equal((await own("GET", "/api/v1/users/me/sessions")).status, 200);
    }
    assert.deepEqual((await verdicts(notebook)).slice(0, 2), [200, 200]);
    const { results } = (await own("GET", "/api/v1/users/me/sessions")).body;
    const damaged = results.filter((/** @type {any} */ row) => row.auth_time === null);
    assert.equal(damaged.length, 1);
    assert.equal((await own("DELETE", `/api/v1/users/me/sessions/${damaged[0].id}`)).status, 204);
    assert.equal((await gate({ cookie })).status, 401);
    assert.equal((await gate({ authorization: `Bearer ${notebook}` })).status, 401);
  });
});

test("an unreadable row that has expired keeps nothing from being swept", async () => {
  const entry = `
    import * as real from "../../src/objects.js";
    export class Ledger extends real.Ledger {
      fire() { return this.alarm(); }
      run(statement) { return [...this.ctx.storage.sql.exec(statement)]; }
    }
    export { Directory, Feed, Courier } from "../../src/objects.js";
    export default { fetch: () => new Response("only objects here") };
  `;
  const objects = await startObjects({ entry });
  try {
    const shard = await objects.object("shard-0");
    const now = Math.floor(Date.now() / 1000) - 7200;
    for (const [key, expires] of [["bent", now + 600], ["over", now + 600], ["alive", null]]) {
      const verb = { add_token: { key, owner: { service: "bot-ci" }, token_name: null, scopes: "", expires, by: { name: "root", address: null } } };
      const answer = await objects.call("shard-0", { at: { request: `make-${key}`, now: now * 1000 }, verb });
      assert.ok(answer.add_token, JSON.stringify(answer));
    }
    await shard.run("UPDATE tokens SET row = '{' WHERE key = 'bent'");
    await shard.fire();
    assert.deepEqual((await shard.run("SELECT key FROM tokens")).map((/** @type {any} */ { key }) => key), ["alive"]);
    const told = await shard.run("SELECT line ->> 'token' AS token, time FROM token_history WHERE line ->> 'action' = 'expire' ORDER BY token");
    assert.deepEqual(told, [{ token: "bent", time: now + 600 }, { token: "over", time: now + 600 }]);
  } finally {
    await objects.miniflare.dispose();
  }
});
