// @ts-check
/**
 * A crash after a decision and before those were told who must know. Nobody was answered: the same
 * request, sent again, is answered only when they know; and if nobody asks again, the alarm tells them.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { CALLBACK, api, authorizeUrl, browser, exchange, formOf, read, refresh, register, revoke, serve, serveReady } from "./support.js";

/**
 * @typedef {import("./support.js").Answer} Answer
 *
 * @typedef {object} Decision made before the crash
 * @property {() => Promise<Answer>} send
 * @property {number} answers to the request that is sent again
 * @property {string[]} ends access tokens
 */

describe("a crash between a decision and who must know of it", () => {
  const persist = mkdtempSync(join(tmpdir(), "edgemint-untold-"));
  /** @type {import("./support.js").Server} */
  let server;
  /** @type {import("./support.js").Client} */
  let client;
  /** @type {import("./support.js").Client} */
  let changed;
  /** Those that are made again after the crash, and those that nobody asks about again. @type {Record<string, Decision>[]} */
  const [again, never] = [{}, {}];
  const newcomer = { username: "newcomer", password: "password of newcomer" };

  /** @param {Record<string, string>} [bindings] */
  async function restart(bindings) {
    const { ISSUER, ROOT_SECRETS } = server.bindings;
    const port = Number(new URL(ISSUER).port);
    server = await serve({ script: "tests/worker/untold.js", persist, port, bindings: { ISSUER, ROOT_SECRETS, ...bindings } });
  }

  /** Calls the directory without the worker: no path leads to this verb yet. @param {object} verb */
  async function directory(verb) {
    const objects = await server.mf.getDurableObjectNamespace("DIRECTORY");
    const stub = /** @type {any} */ (objects.get(objects.idFromName("directory")));
    const at = { request: crypto.randomUUID(), now: Date.now() };
    return JSON.parse(await stub.call(JSON.stringify({ at, verb })));
  }

  const inKv = async () => /** @type {any} */ ((await (await server.mf.getKVNamespace("KV")).getWithMetadata(`client:${changed.client_id}`)).metadata);
  const account = () => api(server, "/api/v1/accounts/", { first_name: "New", last_name: "Comer", ...newcomer });

  before(async () => {
    server = await serveReady({ script: "tests/worker/untold.js", persist });
    client = await register(server);
    const asking = await register(server, { implicit_consent: false });
    changed = await register(server, { redirect_uris: [CALLBACK, `${CALLBACK}/leaked`] });
    // Everybody of their own shard, so that the end of one tells nothing of another.
    for (const [index, decisions] of [again, never].entries()) {
      for (const what of ["an access token", "a grant", "a code", "a refresh token", "a consent", "a session"]) {
        const person = { username: `${what.replaceAll(" ", "-")}-${index}`, password: "password of somebody" };
        const names = { first_name: "Some", last_name: "Body" };
        assert.equal((await api(server, "/api/v1/accounts/", { ...names, ...person })).status, 201);
        decisions[what] = await decision(what, person, what === "a consent" ? asking : client);
      }
    }
    while ((await inKv())?.version !== 1) await new Promise((resolve) => setTimeout(resolve, 50));
    await server.stop();
    await restart({ UNTOLD: "1" });
  });
  after(async () => {
    await server.stop();
    rmSync(persist, { recursive: true, force: true });
  });

  /**
   * @param {string} what
   * @param {{ username: string, password: string }} person
   * @param {import("./support.js").Client} client
   * @returns {Promise<Decision>}
   */
  async function decision(what, person, client) {
    const visitor = browser(server);
    const scope = what === "a session" ? "openid" : "openid offline_access";
    const { location } = await visitor.walk(authorizeUrl(server, client, { scope }), person);
    const text = location?.searchParams.get("code") ?? "";
    const { body } = await exchange(server, client, text);
    const ends = [body.access_token];
    switch (what) {
      case "an access token":
        return { send: () => revoke(server, client, body.access_token), answers: 200, ends };
      case "a grant":
        return { send: () => revoke(server, client, body.refresh_token), answers: 200, ends };
      case "a code":
        return { send: () => exchange(server, client, text), answers: 400, ends };
      case "a refresh token": {
        const second = (await refresh(server, client, body.refresh_token)).body;
        const third = (await refresh(server, client, second.refresh_token)).body;
        return { send: () => refresh(server, client, body.refresh_token), answers: 400, ends: [...ends, third.access_token] };
      }
      case "a consent": {
        const form = formOf((await visitor.go("/login")).text, "/consent");
        assert.ok(form);
        return { send: () => visitor.go(form.action, { form: { ...form.hidden, decision: "withdraw" } }), answers: 303, ends };
      }
      default: {
        const hint = new URLSearchParams({ id_token_hint: body.id_token });
        return { send: () => visitor.go(`/logout?${hint}`), answers: 200, ends };
      }
    }
  }

  const userinfo = (/** @type {string} */ token) =>
    fetch(`${server.url}/oauth/userinfo`, { headers: { authorization: `Bearer ${token}` } }).then(read);

  test("acknowledges none of them", async () => {
    for (const [what, { send, ends }] of [...Object.entries(again), ...Object.entries(never)]) {
      for (const token of ends) assert.equal((await userinfo(token)).status, 200, what);
      assert.equal((await send()).status, 503, what);
    }
    assert.equal((await account()).status, 503);
    const known = (await directory({ find_client: { id: changed.client_id } })).find_client;
    const uris = known.redirect_uris.filter((/** @type {string} */ uri) => !uri.includes("leaked"));
    const client = { ...known, version: known.version + 1, redirect_uris: uris };
    assert.ok("unavailable" in (await directory({ replace_client: { client } })));
    await server.kill();
    await restart();
  });

  test("answers the same request when they know, and not before", async () => {
    for (const [what, { send, answers, ends }] of Object.entries(again)) {
      assert.equal((await send()).status, answers, what);
      for (const token of ends) assert.equal((await userinfo(token)).status, 401, what);
    }
    assert.equal((await account()).status, 409);
    const { location } = await browser(server).walk(authorizeUrl(server, client), newcomer);
    assert.ok(location?.searchParams.get("code"));
  });

  test("tells them, even if nobody asks again", async () => {
    for (const [what, { ends }] of Object.entries(never)) {
      await eventually(async () => assert.equal((await userinfo(ends[0])).status, 401, what));
    }
    const leaked = authorizeUrl(server, changed, { redirect_uri: `${CALLBACK}/leaked` });
    await eventually(async () => assert.equal((await read(await fetch(leaked, { redirect: "manual" }))).status, 400));
    await eventually(async () => assert.equal((await inKv()).version, 2));
  });
});

/**
 * Tries for as long as the alarm may take, which waits longer after every failure.
 *
 * @param {() => Promise<void>} check
 */
async function eventually(check, patience = 20_000) {
  for (const end = Date.now() + patience; ; ) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
