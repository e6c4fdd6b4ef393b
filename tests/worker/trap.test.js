// @ts-check
// OPS-3: a trap of the core costs the requests that were under way, and nothing else.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { atOnce, authorizeUrl, browser, code, exchange, introspect, ofOwn, read, refresh, register, serveReady } from "./support.js";

describe("OPS-3: after a trap", () => {
  /** @type {import("./support.js").Server} */
  let server;
  /** @type {ReturnType<typeof browser>} */
  let visitor;
  /** @type {import("./support.js").Client} */
  let client;

  before(async () => {
    server = await serveReady({ script: "tests/worker/trapping.js" });
    visitor = browser(server);
    client = await register(server);
    await code(server, visitor, client);
  });
  after(() => server.stop());

  const post = (/** @type {string} */ path) => fetch(server.url + path, { method: "POST" }).then(read);

  /** Resolves when so many requests wait for the ledger's answer. */
  async function held(/** @type {number} */ wanted) {
    for (;;) {
      const { text } = await read(await fetch(`${server.url}/held`));
      if (Number(text) >= wanted) return;
    }
  }

  /** @param {import("./support.js").Answer} answer */
  function assertPlainRefusal(answer) {
    assert.equal(answer.status, 500);
    assert.deepEqual(answer.body, { error: "server_error", error_description: "something failed on our side" });
    assert.equal(answer.headers.get("cache-control"), "no-store");
    assert.match(answer.headers.get("x-request-id") ?? "", /^[0-9a-f-]{36}$/);
  }

  test("requests under way get a JSON 500 without detail, and the next ones work", async () => {
    const before = (await exchange(server, client, await code(server, visitor, client))).body;
    const codes = [];
    for (let count = 0; count < 5; count += 1) codes.push(await code(server, visitor, client));
    await post("/hold");
    const underWay = [
      ...codes.map((held) => exchange(server, client, held)),
      fetch(`${server.url}/oauth/userinfo`, { headers: { authorization: `Bearer ${before.access_token}` } }).then(read),
    ];
    await held(underWay.length);
    const trapped = await post("/trap");
    assert.match(trapped.text, /RuntimeError/);
    for (const answer of await Promise.all(underWay)) assertPlainRefusal(answer);
    await post("/release");

    assert.equal((await introspect(server, client, before.access_token)).body.active, true);
    assert.equal((await refresh(server, client, before.refresh_token)).status, 200);
    assert.equal((await exchange(server, client, await code(server, visitor, client))).status, 200);
  });

  test("a code whose answer was lost is spent, and using it again ends what it got", async () => {
    const contested = await code(server, visitor, client);
    await post("/hold");
    const lost = exchange(server, client, contested);
    await held(1);
    await post("/trap");
    assertPlainRefusal(await lost);
    await post("/release");
    assert.equal((await exchange(server, client, contested)).body.error, "invalid_grant");
  });

  test("a refresh whose answer was lost is answered when it is tried again", async () => {
    const { body } = await exchange(server, client, await code(server, visitor, client));
    await post("/hold");
    const lost = refresh(server, client, body.refresh_token);
    await held(1);
    await post("/trap");
    assertPlainRefusal(await lost);
    await post("/release");
    const { status, body: again } = await refresh(server, client, body.refresh_token);
    assert.equal(status, 200);
    assert.equal((await refresh(server, client, again.refresh_token)).status, 200);
  });

  test("a trap in a continuation of one module is nothing to the other", async () => {
    const own = () => ofOwn(server, visitor, "GET", "/api/v1/users/me/sessions");
    for (const [module, broken, whole] of [["edge", 0, 1], ["objects", 1, 0]]) {
      assert.equal((await own()).status, 200);
      const contested = await code(server, visitor, client);
      await post("/hold");
      const underWay = [exchange(server, client, contested), own()];
      await held(2);
      await post(`/trap-later/${module}`);
      assert.equal((await underWay[broken]).status, 500, `${module}: who waits for it is told`);
      await post("/release");
      const { status, text } = await underWay[whole];
      assert.equal(status, 200, `${module}: ${text}`);
    }
    assert.equal((await own()).status, 200);
    assert.ok(await code(server, visitor, client));
  });

  test("a session and a page from before still stand", async () => {
    const { headers } = await visitor.go(authorizeUrl(server, client, { prompt: "login" }));
    const page = /** @type {string} */ (headers.get("location"));
    await post("/trap");
    const { pages, location } = await visitor.walk(page);
    assert.deepEqual(pages, ["/login"]);
    assert.ok(location?.searchParams.get("code"));
    await post("/trap");
    assert.ok(await code(server, visitor, client, { prompt: "none" }));
  });

  test("answers stay whole while traps and requests are mixed", async () => {
    const { body } = await exchange(server, client, await code(server, visitor, client));
    const statuses = new Set();
    for (let round = 0; round < 20; round += 1) {
      const answers = await atOnce(12, (index) => (index % 4 === 3 ? post("/trap").then(() => undefined) : introspect(server, client, body.access_token)));
      for (const answer of answers) {
        if (answer === undefined) continue;
        statuses.add(answer.status);
        if (answer.status === 500) assertPlainRefusal(answer);
        else assert.deepEqual([answer.status, answer.body.active], [200, true]);
      }
      assert.equal((await introspect(server, client, body.access_token)).body.active, true);
    }
    assert.ok(statuses.has(200));
  });
});
