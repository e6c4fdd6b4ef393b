// @ts-check
// Tokens that people and services make (S1.1 to S1.5, S1.7), over HTTP; and one child for a hundred who ask at once.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { startObjects } from "./objects.js";
import { ADMINISTRATOR, api, atOnce, authorizeUrl, browser, ofOwn, read, register, serveReady } from "./support.js";

const TOKENS = "/api/v1/users/admin/tokens";
const HISTORY = "/api/v1/history/token-changes";

describe("tokens", () => {
  /** @type {import("./support.js").Server} */
  let server;
  /** @type {ReturnType<typeof browser>} */
  let visitor;
  before(async () => {
    server = await serveReady();
    visitor = browser(server);
    const client = await register(server);
    await visitor.walk(authorizeUrl(server, client), ADMINISTRATOR);
  });
  after(() => server.stop());

  /**
   * As a page of ours asks: with cookie and `X-CSRF-Token`.
   *
   * @param {string} method
   * @param {string} path
   * @param {unknown} [body]
   */
  const page = (method, path, body) => ofOwn(server, visitor, method, path, undefined, body);

  /**
   * @param {string} token
   * @param {string} path
   * @param {string} [method]
   */
  const bearer = async (token, path, method = "GET") => read(await fetch(server.url + path, { method, headers: { authorization: `Bearer ${token}` } }));

  test("S1.2: a token is made by cookie, told once, listed, changed and ended, with effect at once", async () => {
    const made = await page("POST", TOKENS, { token_name: "laptop", scopes: ["admin:token", "user:token"], expires: null });
    assert.equal(made.status, 201, made.text);
    const { token } = made.body;
    assert.match(token, /^emt_[\w-]{60,120}$/);
    const location = made.headers.get("location") ?? "";
    const path = new URL(location).pathname;
    const told = (await bearer(token, "/api/v1/token-info")).body;
    assert.deepEqual(told, (await bearer(token, path)).body);
    assert.deepEqual([told.token_type, told.token_name, told.scopes], ["user", "laptop", ["admin:token", "user:token"]]);
    const list = (await bearer(token, TOKENS)).body;
    // Both were made in this second.
    assert.deepEqual(list.map((/** @type {any} */ row) => row.token_type).sort(), ["session", "user"]);
    const narrowed = await page("PATCH", path, { scopes: ["user:token"] });
    assert.deepEqual(narrowed.body.scopes, ["user:token"]);
    assert.deepEqual((await bearer(token, "/api/v1/token-info")).body.scopes, ["user:token"]);
    assert.equal((await bearer(token, HISTORY)).status, 403);
    assert.equal((await bearer(token, path, "DELETE")).status, 204);
    const over = await bearer(token, "/api/v1/token-info");
    assert.deepEqual([over.status, over.body.code], [401, "token_revoked"]);
    const history = (await page("GET", `${path}/change-history`)).body;
    assert.deepEqual(history.map((/** @type {any} */ { action }) => action), ["revoke", "edit", "create"]);
  });

  test("S1.3, S1.7: services of every shard have one history, walked by its links", async () => {
    for (let number = 0; number < 12; number += 1) {
      const made = await api(server, "/api/v1/tokens", { username: `bot-${number}`, token_type: "service", scopes: [] });
      assert.equal(made.status, 201, made.text);
    }
    const whole = (await api(server, `${HISTORY}?token_type=service`)).body;
    assert.equal(whole.length, 12);
    /** @type {any[]} */
    const walked = [];
    /** @type {string | undefined} */
    let next = `${HISTORY}?token_type=service&limit=5`;
    while (next !== undefined) {
      const answer = await api(server, next);
      assert.equal(answer.headers.get("x-total-count"), "12");
      walked.push(...answer.body);
      const link = /<([^>]*)>; rel="next"/.exec(answer.headers.get("link") ?? "");
      next = link ? link[1].slice(server.url.length) : undefined;
    }
    assert.deepEqual(walked, whole);
  });

  test("S1.2: a form makes nothing, and what does not fit is named", async () => {
    const form = await visitor.go(TOKENS, { form: { token_name: "x" } });
    assert.ok([403, 422].includes(form.status), form.text);
    const { status, body } = await page("POST", TOKENS, { token_name: "x", scopes: ["bogus"] });
    assert.deepEqual([status, body.errors[0].loc, body.errors[0].type], [422, ["body", "scopes"], "invalid_scopes"]);
    assert.equal((await api(server, TOKENS)).status, 401);
    assert.equal((await fetch(server.url + TOKENS)).status, 401);
  });
});

test("S1.4: a hundred that ask at once get one and the same child", async () => {
  const objects = await startObjects();
  try {
    const now = 4_000_000_000_000;
    let requests = 0;
    const call = (/** @type {object} */ verb) => objects.call("shard-0", { at: { request: `r${(requests += 1)}`, now }, verb });
    const facts = { subject: "u_ann", username: "ann", shard: 0, active: true, generation: 0, version: 1, scope: "read" };
    await call({ put_subject: { facts } });
    const by = { name: "ann", address: null };
    await call({ add_token: { key: "parent", owner: { person: "u_ann" }, token_name: "x", scopes: "read", expires: null, by } });
    const ask = (/** @type {number} */ index, /** @type {string | null} */ service) =>
      call({
        delegate: { key: `child${service}${index}`, parent: { token: "parent" }, service, scopes: "read", lifetime: 86_400, remaining: 43_200, address: null },
      });
    for (const service of [null, "one", "two"]) {
      const answers = await atOnce(100, (index) => ask(index, service));
      assert.equal(new Set(answers.map(({ delegate }) => delegate.given.row.key)).size, 1);
    }
    const { list_tokens: list } = await call({ list_tokens: { owner: { person: "u_ann" } } });
    assert.equal(list.rows.length, 4);
  } finally {
    await objects.stop();
  }
});
