// @ts-check
// Providers and what belongs to them, over HTTP: what is published, what races, what stays.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ADMINISTRATOR, CALLBACK, api, ask, atOnce, authorizeUrl, browser, exchange, introspect, made, refresh, serveReady } from "./support.js";

describe("providers", () => {
  const persist = mkdtempSync(join(tmpdir(), "edgemint-providers-"));
  /** @type {import("./support.js").Server} */
  let server;
  /** The flow in which nobody is asked. @type {string} */
  let implicit;
  before(async () => {
    server = await serveReady({ persist });
    implicit = (await call("GET", "flows/?slug=default-provider-authorization-implicit-consent")).body.results[0].pk;
  });
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

  /** @param {Record<string, unknown>} [more] */
  async function provider(more = {}) {
    const scope = "openid profile email offline_access";
    const made_ = await made(server, "providers/oauth2/", { name: "App", redirect_uris: CALLBACK, authorization_flow: implicit, scope, ...more });
    return { ...made_, path: `providers/oauth2/${made_.pk}/`, redirect_uris: [CALLBACK] };
  }

  /** @param {import("./support.js").Client} client @param {string} [scope] */
  async function tokens(client, scope = "openid profile email offline_access") {
    const { location, last } = await browser(server).walk(authorizeUrl(server, client, { scope }), ADMINISTRATOR);
    assert.ok(location, last.text);
    return (await exchange(server, client, location.searchParams.get("code") ?? "")).body;
  }

  /** @param {string} token */
  const claims = (token) => JSON.parse(Buffer.from(token.split(".")[1], "base64url").toString());

  /** @param {string} token */
  const userinfo = async (token) => (await fetch(`${server.url}/oauth/userinfo`, { headers: { authorization: `Bearer ${token}` } })).json();

  test("S4.2: a provider is a client at once, its subjects are hashed, and what changes is followed", async () => {
    const app = await provider({ client_id: "app" });
    assert.ok(app.client_secret);
    const admin = (await call("GET", `users/?username=${ADMINISTRATOR.username}`)).body.results[0];
    const mapping = await made(server, "property_mappings/", { name: "Staff", scope_name: "email", claims: { login: "{username}", sub_hint: "{uuid}" } });
    assert.equal((await call("PATCH", app.path, { property_mappings: [mapping.pk] })).status, 200);
    const issuer = (await call("GET", `${app.path}setup_urls/`)).body.issuer;
    const hash = createHash("sha256").update(`${admin.pk}-${issuer}`).digest("hex");
    for (const [mode, sub] of [["hashed_user_id", hash], ["user_id", String(admin.pk)], ["user_uuid", admin.uuid], ["user_username", "admin"]]) {
      assert.equal((await call("PATCH", app.path, { sub_mode: mode })).status, 200);
      const held = await tokens(app);
      const [told, asked] = [claims(held.id_token), await userinfo(held.access_token)];
      assert.deepEqual([told.sub, asked.sub, told.login, asked.login, asked.sub_hint], [sub, sub, "admin", "admin", admin.uuid]);
      const { preview } = (await call("GET", `${app.path}preview_user/?for_user=${admin.pk}`)).body;
      assert.deepEqual([preview.sub, preview.iss, preview.aud, preview.login], [sub, issuer, "app", "admin"]);
    }
  });

  test("S4.2: every URL of the set-up answers", async () => {
    const app = await provider();
    const urls = (await call("GET", `${app.path}setup_urls/`)).body;
    for (const name of ["authorize", "user_info", "provider_info", "logout", "jwks"]) {
      const { status } = await fetch(new URL(new URL(urls[name]).pathname, server.url), { redirect: "manual" });
      assert.notEqual(status, 404, urls[name]);
    }
  });

  test("S4.2: a secret is rolled over while requests come, and every one is answered", async () => {
    const app = await provider();
    const held = await tokens(app);
    const second = (await call("POST", `${app.path}secrets/`, {})).body.client_secret;
    const asked = await atOnce(12, (index) => introspect(server, { ...app, client_secret: index % 2 ? second : app.client_secret }, held.access_token));
    assert.deepEqual(asked.map(({ status, body }) => [status, body.active]), Array(12).fill([200, true]));
    const [first] = (await call("GET", `${app.path}secrets/`)).body.secrets;
    assert.equal((await call("DELETE", `${app.path}secrets/${first.id}/`)).status, 204);
    assert.equal((await introspect(server, app, held.access_token)).status, 401);
    const renewed = { ...app, client_secret: second };
    assert.equal((await introspect(server, renewed, held.access_token)).body.active, false);
    assert.equal((await refresh(server, renewed, held.refresh_token)).body.error, "invalid_grant");
    assert.equal((await introspect(server, renewed, (await tokens(renewed)).access_token)).body.active, true);
  });

  test("of two secrets that are taken away at once, one stays", async () => {
    const app = await provider();
    await call("POST", `${app.path}secrets/`, {});
    const { secrets } = (await call("GET", `${app.path}secrets/`)).body;
    const statuses = (await atOnce(2, (index) => call("DELETE", `${app.path}secrets/${secrets[index].id}/`))).map(({ status }) => status);
    assert.deepEqual(statuses.sort(), [204, 400]);
  });

  test("S4.2: a client that is disabled or deleted loses what it got, and one of its id begins anew", async () => {
    const body = { client_id: "again", client_secret: "s".repeat(43) };
    let app = { ...(await provider(body)), ...body };
    const held = await tokens(app);
    assert.equal((await call("PATCH", app.path, { enabled: false })).status, 200);
    assert.equal((await introspect(server, app, held.access_token)).status, 401);
    assert.equal((await call("PATCH", app.path, { enabled: true })).status, 200);
    assert.equal((await introspect(server, app, held.access_token)).body.active, false);
    const later = await tokens(app);
    assert.equal((await call("DELETE", app.path)).status, 204);
    assert.equal((await refresh(server, app, later.refresh_token)).body.error, "invalid_client");
    app = { ...(await provider(body)), ...body };
    assert.equal((await introspect(server, app, later.access_token)).body.active, false);
    assert.equal((await refresh(server, app, later.refresh_token)).body.error, "invalid_grant");
    assert.equal((await introspect(server, app, (await tokens(app)).access_token)).body.active, true);
  });

  test("S3.1: a client that acts for itself gets no scope that nobody made", async () => {
    const refused = await call("POST", "providers/oauth2/", { name: "Bot", grant_types: ["client_credentials"], scope: "ghost" });
    assert.deepEqual([refused.status, refused.body.scope?.length], [400, 1], refused.text);
    await made(server, "scopes/", { name: "Ghost", value: "ghost" });
    const bot = await provider({ name: "Bot", grant_types: ["client_credentials"], redirect_uris: "", scope: "ghost" });
    const { body } = await ask(server, "/oauth/token", bot, { grant_type: "client_credentials" });
    assert.equal(body.scope, "ghost");
    const scope = (await call("GET", "scopes/?value=ghost")).body.results[0];
    assert.equal((await call("DELETE", `scopes/${scope.id}/`)).status, 204);
    assert.equal((await introspect(server, bot, body.access_token)).body.active, false);
    assert.equal((await call("GET", bot.path)).body.scope, "");
  });

  test("of ten applications that want one slug or one provider at once, one gets it", async () => {
    const app = await provider();
    for (const body of [(/** @type {number} */ index) => ({ name: `A${index}`, slug: "one" }), (/** @type {number} */ index) => ({ name: `B${index}`, slug: `b${index}`, provider: app.pk })]) {
      const statuses = (await atOnce(10, (index) => call("POST", "applications/", body(index)))).map(({ status }) => status);
      assert.deepEqual(statuses.sort(), [201, ...Array(9).fill(409)]);
    }
    const [used] = (await call("GET", `${app.path}used_by/`)).body;
    assert.deepEqual([used.model_name, used.action], ["application", "set_null"]);
  });

  test("what is refused names its field, nothing of it is written, and a restart keeps all", async () => {
    const app = await provider({ name: "Kept %_é" });
    const earlier = await everything();
    for (const [body, field] of /** @type {[Record<string, unknown>, string][]} */ ([
      [{ redirect_uris: "https://.*\\.example/" }, "redirect_uris"],
      [{ redirect_uris: "javascript:alert(1)" }, "redirect_uris"],
      [{ access_token_validity: "minute=3" }, "access_token_validity"],
      [{ sub_mode: "mine" }, "sub_mode"],
      [{ owner: 99 }, "owner"],
      [{ grant_types: [] }, "grant_types"],
      [{ client_id: "other" }, "client_id"],
      [{ colour: "red" }, "colour"],
      [{ authorization_flow: "nowhere" }, "authorization_flow"],
    ])) {
      const answer = await call("PATCH", app.path, body);
      assert.deepEqual([answer.status, Array.isArray(answer.body[field])], [400, true], answer.text);
    }
    assert.equal((await call("POST", "providers/oauth2/", { name: "B", redirect_uris: CALLBACK, client_id: app.client_id })).status, 409);
    assert.deepEqual(await everything(), earlier);
    await server.reload();
    assert.deepEqual(await everything(), earlier);
    assert.equal((await call("GET", `providers/oauth2/?search=${encodeURIComponent("KEPT %_é")}`)).body.results[0].pk, app.pk);
    assert.ok((await tokens(app)).access_token);
  });

  async function everything() {
    const paths = ["providers/oauth2", "applications", "property_mappings", "flows"];
    return (await Promise.all(paths.map((path) => call("GET", `${path}/?page_size=100`)))).map(({ body }) => body);
  }
});
