// @ts-check
// Who ended what is in the history, over HTTP: with the end, once, and still there after a restart.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ADMINISTRATOR, api, browser, code, exchange, ofOwn, register, serve, serveReady } from "./support.js";

const OAUTH2 = "/api/v1/oauth2";

test("what administrators and owners end is listed with who, when and what, and outlives a restart", async () => {
  const persist = mkdtempSync(join(tmpdir(), "edgemint-history-"));
  let server = await serveReady({ persist });
  try {
    const client = await register(server);
    const visitor = browser(server);
    const other = browser(server);
    const spare = await code(server, other, client);
    await exchange(server, client, await code(server, visitor, client));
    /** @type {[string, string, string][]} */
    const ended = [];
    const end = async (/** @type {string} */ kind, /** @type {any} */ row) => {
      const path = `${OAUTH2}/${kind}/${row.pk}/`;
      assert.equal((await api(server, path, undefined, "DELETE")).status, 204, path);
      assert.equal((await api(server, path, undefined, "DELETE")).status, 404, path);
      ended.unshift([kind, String(row.pk), "<bootstrap>"]);
    };
    const codes = (await api(server, `${OAUTH2}/authorization_codes/`)).body.results;
    for (const row of codes) {
      const there = await api(server, `${OAUTH2}/authorization_codes/${row.pk}/`);
      if (there.status === 200) await end("authorization_codes", row);
    }
    assert.equal(ended.length, 1, "the other one was spent");
    assert.equal((await exchange(server, client, spare)).body.error, "invalid_grant");
    await end("access_tokens", (await api(server, `${OAUTH2}/access_tokens/`)).body.results[0]);
    const own = async (/** @type {string} */ kind, /** @type {string} */ id) => {
      const { status, text } = await ofOwn(server, visitor, "DELETE", `/api/v1/users/me/${kind}/${id}`);
      assert.equal(status, 204, text);
      ended.unshift([kind, id, ADMINISTRATOR.username]);
    };
    await exchange(server, client, await code(server, visitor, client));
    const grants = (await ofOwn(server, visitor, "GET", "/api/v1/users/me/grants")).body.results;
    await own("grants", grants[0].id);
    const sessions = (await ofOwn(server, visitor, "GET", "/api/v1/users/me/sessions")).body.results;
    await own("sessions", sessions.find((/** @type {any} */ row) => !row.current).id);
    const everywhere = await ofOwn(server, visitor, "DELETE", "/api/v1/users/me/sessions");
    assert.equal(everywhere.status, 204);
    ended.unshift(["sessions", sessions.find((/** @type {any} */ row) => row.current).id, ADMINISTRATOR.username]);

    const listed = async () => {
      const { status, body, text } = await api(server, "/api/v1/audit/?page_size=100");
      assert.equal(status, 200, text);
      const times = body.results.map((/** @type {any} */ line) => line.time);
      assert.deepEqual(times, times.toSorted().reverse());
      const kinds = new Set(ended.map(([kind]) => kind));
      return body.results.filter((/** @type {any} */ line) => kinds.has(line.collection));
    };
    const before = await listed();
    assert.deepEqual(before.map((/** @type {any} */ line) => [line.collection, line.record, line.actor]), ended);
    for (const line of before) {
      assert.deepEqual([line.action, line.after], ["deleted", null]);
      assert.match(line.before.subject, /^u_/);
    }
    const narrowed = await api(server, `/api/v1/audit/?collection=sessions&actor=${ADMINISTRATOR.username}`);
    assert.equal(narrowed.body.pagination.count, 2);
    assert.equal((await api(server, "/api/v1/audit/?page=21&page_size=100")).status, 400);
    assert.equal((await api(server, "/api/v1/audit/?page=21&page_size=100&collection=roles")).status, 404);

    const port = Number(new URL(server.url).port);
    await server.stop();
    server = await serve({ persist, port });
    assert.deepEqual(await listed(), before);
  } finally {
    await server.stop();
    rmSync(persist, { recursive: true, force: true });
  }
});
