// @ts-check
// What a person has of their own, over HTTP: seen and ended by cookie, by token, and by nobody else.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ADMINISTRATOR, BOOTSTRAP_TOKEN, api, ask, authorizeUrl, browser, exchange, introspect, ofOwn, read, refresh, register, serveReady } from "./support.js";

const PERSON = { username: "eve", password: "correct horse battery" };
const SESSIONS = "/api/v1/users/me/sessions";
const GRANTS = "/api/v1/users/me/grants";
const CONSENTS = "/api/v1/users/me/consents";

describe("own data", () => {
  /** @type {import("./support.js").Server} */
  let server;
  /** @type {import("./support.js").Client} */
  let client;
  before(async () => {
    server = await serveReady();
    const account = { ...PERSON, first_name: "E", last_name: "V", scopes: "user:token" };
    assert.equal((await api(server, "/api/v1/accounts/", account)).status, 201);
    client = await register(server);
  });
  after(() => server.stop());

  /**
   * Somebody who has signed in, and the tokens of a client.
   *
   * @param {{ username: string, password: string }} [person]
   * @param {import("./support.js").Client} [application]
   * @param {string} [scope]
   */
  async function signedIn(person = PERSON, application = client, scope = "openid") {
    const visitor = browser(server);
    const { location } = await visitor.walk(authorizeUrl(server, application, { scope }), person);
    const { body } = await exchange(server, application, location?.searchParams.get("code") ?? "");
    return { visitor, tokens: body };
  }

  /** @param {any} answer */
  const results = ({ status, body, text }) => (assert.equal(status, 200, text), body.results);

  test("S1.9: a page of ours is told who is signed in; nobody else is, and no other origin may ask", async () => {
    const { visitor } = await signedIn();
    const { status, headers, body } = await visitor.go("/api/v1/login");
    assert.deepEqual([status, headers.get("cache-control"), headers.get("access-control-allow-origin")], [200, "no-store", null]);
    assert.deepEqual([body.username, body.scopes], ["eve", ["user:token"]]);
    assert.match(body.csrf, /^[\w-]{43}$/);
    assert.ok(body.config.scopes.some((/** @type {any} */ scope) => scope.name === "user:token" && typeof scope.description === "string"));
    assert.equal((await browser(server).go("/api/v1/login")).status, 401);
    assert.equal((await visitor.go("/api/v1/login", { headers: { origin: "https://evil.example" } })).status, 403);
    assert.equal((await visitor.go("/api/v1/login", { headers: { "sec-fetch-site": "cross-site" } })).status, 403);
    assert.equal((await fetch(`${server.url}/api/v1/login`, { method: "OPTIONS" })).status, 405);
  });

  test("a session is listed with its browser, and ending it ends what rests on it at once", async () => {
    const lost = await signedIn();
    const kept = await signedIn();
    const rows = results(await ofOwn(server, kept.visitor, "GET", SESSIONS));
    const { id, created_at, expires_at, auth_time, user_agent, address } = rows.find((/** @type {any} */ row) => row.current);
    assert.match(id, /^[\w-]{22}$/);
    assert.ok(Math.abs(created_at - Date.now() / 1000) < 60 && auth_time === created_at && expires_at === created_at + 24 * 3600);
    // The client of these tests says so of itself; a local run has no address that could be trusted.
    assert.deepEqual([user_agent, address], ["node", null]);

    const others = await ofOwn(server, lost.visitor, "GET", SESSIONS);
    const ended = results(others).find((/** @type {any} */ row) => row.current).id;
    assert.equal((await ofOwn(server, kept.visitor, "DELETE", `${SESSIONS}/${ended}`)).status, 204);
    assert.equal((await introspect(server, client, lost.tokens.access_token)).body.active, false);
    assert.equal((await refresh(server, client, lost.tokens.refresh_token)).status, 400);
    assert.equal((await lost.visitor.go("/api/v1/login")).status, 401);
    assert.equal((await introspect(server, client, kept.tokens.access_token)).body.active, true);
    assert.equal((await ofOwn(server, kept.visitor, "DELETE", `${SESSIONS}/${ended}`)).status, 204);
    assert.equal((await ofOwn(server, kept.visitor, "DELETE", `${SESSIONS}/AAAAAAAAAAAAAAAAAAAAAA`)).status, 404);
  });

  test("all others are ended, and then all", async () => {
    const first = await signedIn();
    const last = await signedIn();
    assert.equal((await ofOwn(server, last.visitor, "DELETE", `${SESSIONS}?except_current=true`)).status, 204);
    assert.deepEqual(results(await ofOwn(server, last.visitor, "GET", SESSIONS)).map((/** @type {any} */ row) => row.current), [true]);
    assert.equal((await introspect(server, client, first.tokens.access_token)).body.active, false);
    assert.equal((await introspect(server, client, last.tokens.access_token)).body.active, true);
    const all = await ofOwn(server, last.visitor, "DELETE", SESSIONS);
    assert.deepEqual([all.status, /max-age=0/i.test(all.headers.get("set-cookie") ?? "")], [204, true]);
    assert.equal((await introspect(server, client, last.tokens.access_token)).body.active, false);
    assert.equal((await last.visitor.go("/api/v1/login")).status, 401);
  });

  test("grants and consents are listed per application, and ended", async () => {
    const asking = await register(server, { implicit_consent: false, client_name: "Asking" });
    const { visitor, tokens } = await signedIn(PERSON, asking, "openid offline_access");
    const [grant] = results(await ofOwn(server, visitor, "GET", `${GRANTS}?client_id=${asking.client_id}`));
    assert.deepEqual(
      [grant.client_id, grant.client_name, grant.scope, grant.offline, grant.session],
      [asking.client_id, "Asking", ["offline_access", "openid"], true, null],
    );
    assert.ok(grant.expires_at > grant.created_at);
    assert.equal((await ofOwn(server, visitor, "DELETE", `${GRANTS}/${grant.id}`)).status, 204);
    assert.equal((await introspect(server, asking, tokens.access_token)).body.active, false);
    assert.deepEqual(results(await ofOwn(server, visitor, "GET", `${GRANTS}?client_id=${asking.client_id}`)), []);

    const again = await signedIn(PERSON, asking, "openid");
    const given = results(await ofOwn(server, visitor, "GET", CONSENTS));
    assert.deepEqual(given, [{ client_id: asking.client_id, client_name: "Asking", scope: ["offline_access", "openid"] }]);
    assert.equal((await ofOwn(server, visitor, "DELETE", `${CONSENTS}/${asking.client_id}`)).status, 204);
    assert.equal((await introspect(server, asking, again.tokens.access_token)).body.active, false);
    assert.deepEqual(results(await ofOwn(server, visitor, "GET", CONSENTS)), []);
  });

  test("a change by cookie needs the session's own X-CSRF-Token", async () => {
    const { visitor } = await signedIn();
    const other = await signedIn();
    const { csrf } = (await other.visitor.go("/api/v1/login")).body;
    for (const value of [undefined, "", "x", csrf]) {
      const refused = await ofOwn(server, visitor, "DELETE", SESSIONS, value ?? null);
      assert.deepEqual([refused.status, refused.body.code, refused.headers.get("content-type")], [403, "invalid_csrf", "application/problem+json"]);
    }
    assert.ok(results(await ofOwn(server, visitor, "GET", SESSIONS)).length >= 2);
  });

  test("what somebody else has is not there, letter for letter as what nobody has", async () => {
    const { visitor } = await signedIn();
    const admin = await signedIn(ADMINISTRATOR);
    const [foreign] = results(await ofOwn(server, admin.visitor, "GET", SESSIONS));
    for (const [method, rest] of [["GET", "sessions"], ["DELETE", "sessions"], ["DELETE", `sessions/${foreign.id}`], ["GET", "grants"], ["DELETE", `consents/${client.client_id}`]]) {
      const [theirs, nobodys] = await Promise.all([ADMINISTRATOR.username, "nobody"].map((name) => ofOwn(server, visitor, method, `/api/v1/users/${name}/${rest}`)));
      assert.deepEqual([theirs.status, theirs.text], [404, nobodys.text], `${method} ${rest}`);
      assert.equal(nobodys.status, 404);
    }
    assert.equal((await ofOwn(server, visitor, "DELETE", `${SESSIONS}/${foreign.id}`)).status, 404);
    assert.equal((await ofOwn(server, admin.visitor, "GET", SESSIONS)).status, 200);
    // Who holds admin:token sees them, and may end them.
    const path = "/api/v1/users/eve/sessions";
    assert.ok(results(await ofOwn(server, admin.visitor, "GET", path)).length > 0);
    assert.equal((await ofOwn(server, admin.visitor, "DELETE", path)).status, 204);
    assert.equal((await visitor.go("/api/v1/login")).status, 401);
  });

  test("a token for this API with user:token does it, another one does not, and the bootstrap token is nobody", async () => {
    const audience = `${server.url}/api/v1`;
    const console_ = await register(server, { scope: "openid user:token", resources: [audience], default_resource: audience, danger_allow_management_scopes: true });
    const { tokens } = await signedIn(PERSON, console_, "openid user:token");
    const other = await signedIn();
    const little = await signedIn(PERSON, console_, "openid");
    const by = async (/** @type {string} */ token, method = "GET", path = SESSIONS) => read(await fetch(server.url + path, { method, headers: { authorization: `Bearer ${token}` } }));
    assert.equal(results(await by(tokens.access_token)).filter((/** @type {any} */ row) => row.current).length, 1);
    assert.equal((await by(other.tokens.access_token)).status, 401);
    assert.equal((await by(little.tokens.access_token)).status, 403);
    assert.equal((await by(BOOTSTRAP_TOKEN)).status, 401);
    assert.equal((await by(BOOTSTRAP_TOKEN, "DELETE", "/api/v1/users/eve/sessions")).status, 401);
    assert.equal((await read(await fetch(server.url + SESSIONS))).status, 401);
    assert.equal((await by(tokens.access_token, "DELETE", SESSIONS)).status, 204);
    assert.equal((await by(tokens.access_token)).status, 401, "it died with its session");
    assert.equal((await ask(server, "/oauth/introspect", console_, { token: tokens.access_token })).body.active, false);
  });

  test("S0.8: who knows the old password chooses a new one, and whoever was signed in is no more", async () => {
    const person = { username: "kim", password: "correct horse battery" };
    const account = { ...person, first_name: "K", last_name: "M", scopes: "user:token" };
    assert.equal((await api(server, "/api/v1/accounts/", account)).status, 201);
    const { visitor, tokens } = await signedIn(person);
    const other = await signedIn(person);
    const { csrf } = (await visitor.go("/api/v1/login")).body;
    const cookie = Array.from(visitor.cookies, ([name, value]) => `${name}=${value}`).join("; ");
    const change = async (/** @type {string} */ old_password, value = csrf) =>
      read(
        await fetch(`${server.url}/api/v1/users/me/password`, {
          method: "PUT",
          headers: { cookie, "x-csrf-token": value, "content-type": "application/json" },
          body: JSON.stringify({ old_password, new_password: "another long password" }),
        }),
      );
    assert.equal((await change(person.password, "x")).status, 403);
    assert.equal((await change("not the password")).status, 400);
    assert.equal((await change(person.password)).status, 204);
    for (const { access_token, refresh_token } of [tokens, other.tokens]) {
      assert.equal((await introspect(server, client, access_token)).body.active, false);
      assert.equal((await refresh(server, client, refresh_token)).status, 400);
    }
    assert.equal((await other.visitor.go("/api/v1/login")).status, 401);
    const again = await signedIn({ ...person, password: "another long password" });
    assert.equal((await introspect(server, client, again.tokens.access_token)).body.active, true);
  });
});
