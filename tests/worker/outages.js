// @ts-check
/**
 * What each endpoint answers while something behind the bindings is away. The tests hold the worker
 * to it, and SECURITY.md shows it.
 *
 * - `works`: as ever;
 * - `503`: with `Retry-After`, on a page as in JSON;
 * - `temporarily_unavailable`: the browser is sent to the client's redirect URI with that error;
 * - `unavailable`: `{error: "unavailable", status: 503}` to a Worker that is bound to us.
 *
 * Two answers are those of an isolate that has its copies, and of one that has just begun.
 *
 * @typedef {"works" | "503" | "temporarily_unavailable" | "unavailable"} Outcome
 * @typedef {Outcome | [warm: Outcome, cold: Outcome]} Cell
 * @typedef {import("./faulty.js").Faults} Faults
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { SignJWT, exportJWK, generateKeyPair } from "jose";
import { sign, URI } from "./signing.js";
import { api, ask, authorizeUrl, browser, code, exchange, formOf, introspect, made, ofOwn, read, refresh, register, revoke, ADMINISTRATOR, BOOTSTRAP_TOKEN } from "./support.js";

/**
 * @typedef {object} Column
 * @property {string} title
 * @property {Faults[]} faults every way in which it may be away
 * @property {boolean} [fresh] the copy of the feed is younger than the bound; an isolate without one is not asked
 */

/** @type {Record<string, Column>} */
export const columns = {
  kv: { title: "KV answers 500, or not at all", faults: [{ kv: "500" }, { kv: "silent" }] },
  stale: { title: "KV a minute behind, and misses what is new; a second write refused", faults: [{ kv: "missed", kvLimit: 1_000 }] },
  ledger: { title: "ledger shard away or silent", faults: [{ ledger: "unreachable" }, { ledger: "overloaded" }, { ledger: "silent" }] },
  feed: { title: "feed away or silent", faults: [{ feed: "unreachable" }, { feed: "silent" }] },
  fresh: { title: "the same, copy within the bound", faults: [{ feed: "unreachable" }, { feed: "silent" }], fresh: true },
  directory: { title: "directory away or silent", faults: [{ directory: "unreachable" }, { directory: "overloaded" }, { directory: "silent" }] },
};

/**
 * @typedef {import("./support.js").Answer} Answer
 * @typedef {import("./support.js").Client} Client
 *
 * @typedef {object} World
 * @property {import("./support.js").Server} server
 * @property {ReturnType<typeof browser>} visitor somebody who is signed in
 * @property {Client} client needs no consent
 * @property {Client} asking the visitor agreed to it
 * @property {Client} machine
 * @property {Client} signer
 * @property {Client} device confidential: nothing is counted of it
 * @property {Client} owner whose binding names it
 * @property {(method: string, ...values: unknown[]) => Promise<Answer>} bound calls over that binding
 * @property {() => number} next
 *
 * @typedef {object} Row
 * @property {string} title
 * @property {(world: World) => Promise<() => Promise<Answer>>} prepare gives the request, which may be repeated
 * @property {string} healthy what `described` says of the answer when nothing is away
 * @property {Partial<Record<keyof typeof columns, Cell>>} [cells] all others: `works`
 * @property {"again" | "anew" | "done"} afterwards after a failure that is over: the same request works; all has to
 *   begin anew; or it may have been done, and then says `repeated`
 * @property {string} [repeated]
 */

/** @param {string} path */
const get = (path) => async (/** @type {World} */ { server }) => () => fetch(server.url + path).then(read);

/**
 * @param {string} path
 * @param {() => unknown} body
 * @param {(world: World) => Record<string, string>} [headers]
 */
const post = (path, body, headers = () => ({ authorization: `Bearer ${BOOTSTRAP_TOKEN}` })) => async (/** @type {World} */ world) => {
  const text = JSON.stringify(body());
  return () => fetch(world.server.url + path, { method: "POST", headers: { ...headers(world), "content-type": "application/json" }, body: text }).then(read);
};

/** @param {World} world */
const tokens = async ({ server, visitor, client }) => (await exchange(server, client, await code(server, visitor, client))).body;

export const DEVICE = "urn:ietf:params:oauth:grant-type:device_code";
const KEYS = "/api/v1/keys/";
const COPIES = { authorization: `Bearer ${BOOTSTRAP_TOKEN}`, "x-export-passphrase": "passphrase of an outage" };

/** @param {{ url: string }} server @param {string} [after] */
const exported = (server, after = "users:1") => fetch(`${server.url}/api/v1/export?limit=1&after=${after}`, { headers: COPIES }).then(read);

/** @param {World} world @param {string} method @param {string} path */
const administer = ({ server }, method, path) => fetch(server.url + path, { method, headers: { authorization: `Bearer ${BOOTSTRAP_TOKEN}` } }).then(read);

/** @type {WeakMap<object, Promise<Client>>} */
const mappedClients = new WeakMap();

/** The client of a world that has a mapping. @param {World} world */
function mapped({ server }) {
  const make = async () => {
    const client = await register(server);
    const mapping = await made(server, "property_mappings/", { name: "Login", scope_name: "openid", claims: { login: "{username}" } });
    const { results } = (await api(server, `/api/v1/providers/oauth2/?client_id=${client.client_id}`)).body;
    const path = `/api/v1/providers/oauth2/${results[0].pk}/`;
    assert.equal((await api(server, path, { property_mappings: [mapping.pk] }, "PATCH")).status, 200);
    return client;
  };
  const known = mappedClients.get(server) ?? make();
  mappedClients.set(server, known);
  return known;
}

/** There is a limit, and other rows make keys. @param {World} world */
async function retireAll(world) {
  for (const state of ["waiting", "published"]) {
    const { body } = await administer(world, "GET", `${KEYS}?page_size=100&state=${state}`);
    for (const { kid } of body.results) await administer(world, "DELETE", `${KEYS}${kid}/`);
  }
}

/** @param {Pick<World, "server">} world */
const newcomer = ({ server }) => browser(server);

/**
 * A page with a form, and what posts it.
 *
 * @param {ReturnType<typeof browser>} visitor
 * @param {string | URL} start
 * @param {string} action
 * @param {Record<string, string>} typed
 */
async function form(visitor, start, action, typed) {
  let page = await visitor.go(start);
  for (let location = page.headers.get("location"); location !== null; location = page.headers.get("location")) page = await visitor.go(location);
  const found = formOf(page.text, action);
  if (found === undefined) throw new Error(`no form for ${action}: ${page.status} ${page.text}`);
  return () => visitor.go(action, { form: { ...found.hidden, ...typed } });
}

/** @param {World} world */
const asksFirst = (world) => register(world.server, { implicit_consent: false });

/** @param {World} world */
const frontChannel = (world) =>
  register(world.server, { grant_types: ["implicit"], response_types: ["id_token token"], danger_allow_front_channel_access_tokens: true });

/** @param {World} world */
const waiting = async ({ server, device }) => (await ask(server, "/oauth/device_authorization", device, {})).body;

/** @param {World} world @param {{ user_code: string }} shown */
async function answering({ visitor }, { user_code }) {
  const typed = formOf((await visitor.go("/device")).text, "/device");
  const { headers } = await visitor.go("/device", { form: { ...typed?.hidden, user_code } });
  return form(visitor, /** @type {string} */ (headers.get("location")), "/device", { decision: "allow" });
}

/** An isolate that has the signing keys, or has seen that there are accounts, need not ask for that again. @type {Cell} */
const READ_BEFORE = ["works", "503"];
/** An isolate that has seen the session needs no row of it. @type {Cell} */
const SEEN_BEFORE = ["works", "temporarily_unavailable"];

/** @type {Row[]} */
export const rows = [
  { title: "metadata", prepare: get("/.well-known/openid-configuration"), healthy: "200", afterwards: "again" },
  { title: "`/health`", prepare: get("/health"), healthy: "200", afterwards: "again" },
  { title: "JWKS", prepare: get("/.well-known/jwks.json"), healthy: "200", afterwards: "again" },
  { title: "`/ready`", prepare: get("/ready"), healthy: "200", cells: { feed: "503", directory: READ_BEFORE }, afterwards: "again" },
  {
    title: "`/oauth/authorize`, nobody is signed in",
    prepare: async (world) => () => newcomer(world).go(authorizeUrl(world.server, world.client)),
    healthy: "303 /login",
    cells: { feed: "temporarily_unavailable" },
    afterwards: "again",
  },
  {
    title: "`/oauth/authorize`, signed in, consent implicit",
    prepare: async ({ server, visitor, client }) => () => visitor.go(authorizeUrl(server, client)),
    healthy: "303 code",
    cells: { kv: "temporarily_unavailable", ledger: SEEN_BEFORE, feed: "temporarily_unavailable" },
    afterwards: "again",
  },
  {
    title: "`/oauth/authorize`, signed in, consent remembered",
    prepare: async ({ server, visitor, asking }) => () => visitor.go(authorizeUrl(server, asking)),
    healthy: "303 code",
    cells: { kv: "temporarily_unavailable", ledger: "temporarily_unavailable", feed: "temporarily_unavailable" },
    afterwards: "again",
  },
  {
    title: "`/oauth/authorize`, signed in, an access token in the answer",
    prepare: async (world) => {
      const client = await frontChannel(world);
      const send = () => world.visitor.go(authorizeUrl(world.server, client, { response_type: "id_token token", nonce: "n" }));
      await send();
      return send;
    },
    healthy: "303 access_token",
    cells: { ledger: "temporarily_unavailable", feed: "temporarily_unavailable", directory: SEEN_BEFORE },
    afterwards: "again",
  },
  {
    title: "`/oauth/authorize`, signed in, consent to ask for",
    prepare: async (world) => {
      const client = await asksFirst(world);
      const send = () => world.visitor.go(authorizeUrl(world.server, client));
      await send();
      return send;
    },
    healthy: "303 /consent",
    cells: { ledger: "temporarily_unavailable", feed: "temporarily_unavailable" },
    afterwards: "again",
  },
  {
    title: "`GET /login`",
    prepare: async (world) => {
      const visitor = newcomer(world);
      const { headers } = await visitor.go(authorizeUrl(world.server, world.client));
      return () => visitor.go(/** @type {string} */ (headers.get("location")));
    },
    healthy: "200",
    cells: { feed: "503", directory: READ_BEFORE },
    afterwards: "again",
  },
  {
    title: "`POST /login`",
    prepare: async (world) => form(newcomer(world), authorizeUrl(world.server, world.client), "/login", ADMINISTRATOR),
    healthy: "303 code",
    cells: { kv: "temporarily_unavailable", ledger: "503", feed: "503", directory: "503" },
    afterwards: "anew",
  },
  {
    title: "`POST /login`, wrong password",
    prepare: async (world) =>
      form(newcomer(world), authorizeUrl(world.server, world.client), "/login", { username: `nobody-${world.next()}`, password: "not the password" }),
    healthy: "403",
    cells: { ledger: "503", feed: "503", directory: "503" },
    afterwards: "again",
  },
  {
    title: "`GET /consent`",
    prepare: async (world) => {
      const client = await asksFirst(world);
      const { headers } = await world.visitor.go(authorizeUrl(world.server, client));
      const send = () => world.visitor.go(/** @type {string} */ (headers.get("location")));
      await send();
      return send;
    },
    healthy: "200",
    cells: { ledger: "503", feed: "503" },
    afterwards: "again",
  },
  {
    title: "`POST /consent`",
    prepare: async (world) => form(world.visitor, authorizeUrl(world.server, await asksFirst(world)), "/consent", { decision: "allow" }),
    healthy: "303 code",
    cells: { kv: "temporarily_unavailable", ledger: "503", feed: "503" },
    afterwards: "anew",
  },
  {
    title: "`POST /logout`",
    prepare: async (world) => {
      const visitor = newcomer(world);
      await code(world.server, visitor, world.client);
      await code(world.server, visitor, world.client);
      return form(visitor, "/logout", "/logout", {});
    },
    healthy: "200",
    cells: { ledger: "503", feed: "503", fresh: "503" },
    afterwards: "anew",
  },
  {
    title: "token, code",
    prepare: async ({ server, visitor, client }) => {
      const issued = await code(server, visitor, client);
      return () => exchange(server, client, issued);
    },
    healthy: "200",
    cells: { ledger: "503", feed: "503", directory: READ_BEFORE },
    afterwards: "again",
  },
  {
    title: "token, refresh",
    prepare: async (world) => {
      const { refresh_token } = await tokens(world);
      return () => refresh(world.server, world.client, refresh_token);
    },
    healthy: "200",
    cells: { ledger: "503", feed: "503", directory: READ_BEFORE },
    afterwards: "again",
  },
  {
    title: "`/oauth/device_authorization`",
    prepare: async ({ server, device }) => () => ask(server, "/oauth/device_authorization", device, {}),
    healthy: "200",
    cells: { ledger: "503", feed: "503" },
    afterwards: "again",
  },
  {
    title: "`/device`, a code is typed",
    prepare: async (world) => {
      const { user_code } = await waiting(world);
      return form(world.visitor, "/device", "/device", { user_code });
    },
    healthy: "303 /device",
    cells: { ledger: "503", feed: "503" },
    afterwards: "again",
  },
  {
    title: "`/device`, the answer",
    prepare: async (world) => answering(world, await waiting(world)),
    healthy: "200",
    cells: { ledger: "503", feed: "503" },
    afterwards: "again",
  },
  {
    title: "token, device code",
    prepare: async (world) => {
      const { device_code, ...shown } = await waiting(world);
      await (await answering(world, shown))();
      return () => ask(world.server, "/oauth/token", world.device, { grant_type: DEVICE, device_code });
    },
    healthy: "200",
    cells: { ledger: "503", feed: "503", directory: READ_BEFORE },
    afterwards: "again",
  },
  {
    title: "token, password",
    prepare: async ({ server }) => {
      const client = await register(server, { redirect_uris: [], grant_types: ["password"], scope: "openid", danger_allow_password_grant: true });
      return () => ask(server, "/oauth/token", client, { grant_type: "password", ...ADMINISTRATOR });
    },
    healthy: "200",
    cells: { ledger: "503", feed: "503", directory: "503" },
    afterwards: "again",
  },
  {
    title: "token, client credentials",
    prepare: async ({ server, machine }) => () => ask(server, "/oauth/token", machine, { grant_type: "client_credentials" }),
    healthy: "200",
    cells: { feed: "503" },
    afterwards: "again",
  },
  {
    title: "token, client credentials by assertion",
    prepare: async ({ server }) => {
      const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
      const jwks = { keys: [await exportJWK(publicKey)] };
      const metadata = { token_endpoint_auth_method: "private_key_jwt", jwks, redirect_uris: [], grant_types: ["client_credentials"], scope: "a" };
      const { client_id } = await register(server, metadata);
      // Each time another, as a client does that asks again.
      const send = async () => {
        const claims = new SignJWT({ iss: client_id, sub: client_id, aud: server.url, jti: randomUUID() });
        const client_assertion = await claims.setProtectedHeader({ alg: "ES256" }).setExpirationTime("10m").sign(privateKey);
        const client_assertion_type = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        const body = new URLSearchParams({ grant_type: "client_credentials", client_assertion, client_assertion_type });
        return read(await fetch(`${server.url}/oauth/token`, { method: "POST", body }));
      };
      await send();
      return send;
    },
    healthy: "200",
    cells: { ledger: "503", feed: "503" },
    afterwards: "again",
  },
  {
    title: "token, wrong secret",
    prepare: async (world) => {
      const guessed = { ...(await register(world.server)), client_secret: "not the secret" };
      const send = () => ask(world.server, "/oauth/token", guessed, { grant_type: "refresh_token", refresh_token: "x" });
      await send();
      return send;
    },
    healthy: "401",
    cells: { ledger: "503" },
    afterwards: "again",
  },
  {
    title: "introspection and `check_token`, access token",
    prepare: async (world) => {
      const { access_token } = await tokens(world);
      await introspect(world.server, world.client, access_token);
      let turn = 0;
      return () => ask(world.server, turn++ % 2 ? "/oauth/check_token" : "/oauth/introspect", world.client, { token: access_token });
    },
    healthy: "200 active",
    cells: { feed: "503" },
    afterwards: "again",
  },
  {
    title: "introspection, access token under whose scope mappings speak",
    prepare: async (world) => {
      const client = await mapped(world);
      const { body } = await exchange(world.server, client, await code(world.server, world.visitor, client));
      const send = () => introspect(world.server, client, body.access_token);
      assert.equal((await send()).body.login, ADMINISTRATOR.username);
      return send;
    },
    healthy: "200 active",
    cells: { ledger: ["works", "503"], feed: "503" },
    afterwards: "again",
  },
  {
    title: "`check_token`, JWT",
    prepare: async ({ server, machine }) => {
      const client = await register(server, { access_token_format: "jwt", redirect_uris: [], grant_types: ["client_credentials"], scope: "a" });
      const { body } = await ask(server, "/oauth/token", client, { grant_type: "client_credentials" });
      return () => ask(server, "/oauth/check_token", client, { token: body.access_token });
    },
    healthy: "200 active",
    cells: { feed: "503" },
    afterwards: "again",
  },
  {
    title: "introspection, refresh token",
    prepare: async (world) => {
      const { refresh_token } = await tokens(world);
      return () => introspect(world.server, world.client, refresh_token);
    },
    healthy: "200 active",
    cells: { ledger: "503", feed: "503" },
    afterwards: "again",
  },
  {
    title: "introspection of what is no token of ours",
    prepare: async ({ server, client }) => () => introspect(server, client, "ema_nonsense"),
    healthy: "200 inactive",
    afterwards: "again",
  },
  {
    title: "service binding: introspect, validate",
    prepare: async ({ server, owner, bound }) => {
      const { body } = await ask(server, "/oauth/token", owner, { grant_type: "client_credentials" });
      let turn = 0;
      return () =>
        turn++ % 2 ? bound("introspect", body.access_token) : bound("validate", { authorization: `Bearer ${body.access_token}` });
    },
    healthy: "200 active",
    cells: { feed: "unavailable" },
    afterwards: "again",
  },
  {
    title: "`/ingress/auth`, access token, also where it is counted",
    prepare: async ({ server, machine, next }) => {
      const { body } = await ask(server, "/oauth/token", machine, { grant_type: "client_credentials" });
      const about = { "x-edgemint-proxy": server.bindings.PROXY_SECRET, "x-original-url": "https://portal.example/", "x-original-method": "GET" };
      const headers = { ...about, authorization: `Bearer ${body.access_token}` };
      return () => fetch(`${server.url}/ingress/auth?service=${machine.client_id}&scope=a&minimum_lifetime=${300 + next()}`, { headers }).then(read);
    },
    healthy: "200",
    cells: { feed: "503" },
    afterwards: "again",
  },
  {
    title: "`/ingress/auth`, signed by MAC",
    prepare: async ({ server, signer }) => {
      const { body } = await ask(server, "/oauth/token", signer, { grant_type: "client_credentials" });
      const headers = { "x-edgemint-proxy": server.bindings.PROXY_SECRET, "x-original-url": `https://api.example${URI}`, "x-original-method": "GET" };
      // A nonce may have been spent by what was not answered: a client signs anew.
      return () => fetch(`${server.url}/ingress/auth`, { headers: { ...headers, authorization: sign(body) } }).then(read);
    },
    healthy: "200",
    cells: { ledger: "503", feed: "503" },
    afterwards: "again",
  },
  {
    title: "`/ingress/auth`, session",
    prepare: async ({ server, visitor }) => {
      const cookie = Array.from(visitor.cookies, ([name, value]) => `${name}=${value}`).join("; ");
      const headers = { cookie, "x-edgemint-proxy": server.bindings.PROXY_SECRET, "x-original-url": "https://portal.example/", "x-original-method": "GET" };
      return () => fetch(`${server.url}/ingress/auth`, { headers }).then(read);
    },
    healthy: "200",
    cells: { ledger: READ_BEFORE, feed: "503" },
    afterwards: "again",
  },
  {
    title: "UserInfo",
    prepare: async (world) => {
      const { access_token } = await tokens(world);
      return () => fetch(`${world.server.url}/oauth/userinfo`, { headers: { authorization: `Bearer ${access_token}` } }).then(read);
    },
    healthy: "200",
    cells: { ledger: "503", feed: "503" },
    afterwards: "again",
  },
  {
    title: "`/oauth/revoke`, access token",
    prepare: async (world) => {
      const { access_token } = await tokens(world);
      return () => revoke(world.server, world.client, access_token);
    },
    healthy: "200",
    cells: { ledger: "503", feed: "503", fresh: "503" },
    afterwards: "again",
  },
  {
    title: "`/oauth/revoke`, refresh token",
    prepare: async (world) => {
      const { refresh_token } = await tokens(world);
      return () => revoke(world.server, world.client, refresh_token);
    },
    healthy: "200",
    cells: { ledger: "503", feed: "503", fresh: "503" },
    afterwards: "again",
  },
  {
    title: "service binding: revoke",
    prepare: async ({ server, owner, bound }) => {
      const { body } = await ask(server, "/oauth/token", owner, { grant_type: "client_credentials" });
      return () => bound("revoke", body.access_token);
    },
    healthy: "200",
    cells: { ledger: "unavailable", feed: "unavailable", fresh: "unavailable" },
    afterwards: "again",
  },
  {
    title: "`GET /api/v1/token-info`, a token that is a ledger row",
    prepare: async ({ server, next }) => {
      const username = `bot-${next()}`;
      const { body } = await api(server, "/api/v1/tokens", { username, token_type: "service", scopes: [] });
      const headers = { authorization: `Bearer ${body.token}` };
      return async () => read(await fetch(`${server.url}/api/v1/token-info`, { headers }));
    },
    healthy: "200",
    cells: { ledger: "503", feed: "503" },
    afterwards: "again",
  },
  {
    title: "new token of a service",
    prepare: async (world) => post("/api/v1/tokens", () => ({ username: `bot-${world.next()}`, token_type: "service", scopes: [] }))(world),
    healthy: "201",
    cells: { ledger: "503", feed: "503" },
    afterwards: "again",
  },
  {
    title: "registration",
    prepare: async (world) =>
      post("/oauth/register", () => ({ client_id: `c-new-${world.next()}`, grant_types: ["client_credentials"], scope: "a" }))(world),
    healthy: "201",
    cells: { directory: "503" },
    afterwards: "again",
  },
  {
    title: "new account",
    prepare: async (world) =>
      post("/api/v1/accounts/", () => ({ first_name: "A", last_name: "B", username: `new-${world.next()}`, password: "long enough" }))(world),
    healthy: "201",
    cells: { ledger: "503", directory: "503" },
    afterwards: "done",
    repeated: "409",
  },
  {
    title: "`GET /api/v1/login`",
    // The management API has copies of its own.
    prepare: async ({ visitor }) => {
      await visitor.go("/api/v1/login");
      return () => visitor.go("/api/v1/login");
    },
    healthy: "200",
    cells: { ledger: READ_BEFORE, feed: "503", directory: "503" },
    afterwards: "again",
  },
  {
    title: "list of own sessions, grants or consents",
    prepare: async (world) => {
      let turn = 0;
      const lists = ["sessions", `grants?client_id=${world.client.client_id}`, "consents"];
      return () => ofOwn(world.server, world.visitor, "GET", `/api/v1/users/me/${lists[turn++ % 3]}`);
    },
    healthy: "200",
    cells: { ledger: "503", feed: "503" },
    afterwards: "again",
  },
  {
    title: "end of an own session",
    prepare: async ({ server, visitor, client }) => {
      await code(server, newcomer({ server }), client);
      const { csrf } = (await visitor.go("/api/v1/login")).body;
      const { results } = (await ofOwn(server, visitor, "GET", "/api/v1/users/me/sessions")).body;
      const { id } = results.find((/** @type {any} */ row) => !row.current);
      return () => ofOwn(server, visitor, "DELETE", `/api/v1/users/me/sessions/${id}`, csrf);
    },
    healthy: "204",
    cells: { ledger: "503", feed: "503", fresh: "503" },
    afterwards: "again",
  },
  {
    title: "list of scopes",
    prepare: async ({ server }) => () => fetch(`${server.url}/api/v1/scopes/`, { headers: { authorization: `Bearer ${BOOTSTRAP_TOKEN}` } }).then(read),
    healthy: "200",
    cells: { directory: "503" },
    afterwards: "again",
  },
  {
    title: "new role",
    prepare: async (world) => post("/api/v1/roles/", () => ({ name: `new ${world.next()}`, scopes: ["openid"] }))(world),
    healthy: "201",
    cells: { ledger: "503", directory: "503" },
    afterwards: "done",
    repeated: "409",
  },
  {
    title: "export",
    prepare: async ({ server }) => () => exported(server),
    healthy: "200",
    cells: { directory: "503" },
    afterwards: "again",
  },
  {
    title: "import of a user",
    prepare: async (world) => {
      const { body } = await (await post("/api/v1/users/", () => ({ username: `moved-${world.next()}` }))(world))();
      const lines = (await exported(world.server, `users:${body.pk - 1}`)).text.split("\n");
      await administer(world, "DELETE", `/api/v1/users/${body.pk}/`);
      const headers = { ...COPIES, "content-type": "application/x-ndjson" };
      const copy = `${lines[0]}\n${lines[1]}`;
      return () => fetch(`${world.server.url}/api/v1/import`, { method: "POST", headers, body: copy }).then(read);
    },
    healthy: "200",
    cells: { ledger: "503", feed: "503", fresh: "503", directory: "503" },
    afterwards: "again",
  },
  { title: "what was revoked", prepare: async ({ server }) => () => api(server, "/api/v1/revocations"), healthy: "200", cells: { feed: "503", fresh: "503" }, afterwards: "again" },
  {
    title: "key of a resource",
    prepare: post("/api/v1/resource-keys", () => ({ resource: "https://api.example/" })),
    healthy: "200",
    cells: { feed: "503", directory: "503" },
    afterwards: "again",
  },
  {
    title: "overrides of quotas, replaced",
    prepare: async ({ server }) => {
      const headers = { authorization: `Bearer ${BOOTSTRAP_TOKEN}`, "content-type": "application/json" };
      const body = JSON.stringify({ default: { api: { nothing: 1 } } });
      return () => fetch(`${server.url}/api/v1/quota-overrides`, { method: "PUT", headers, body }).then(read);
    },
    healthy: "200",
    cells: { feed: "503", fresh: "503", directory: "503" },
    afterwards: "again",
  },
  { title: "list of keys", prepare: async (world) => () => administer(world, "GET", KEYS), healthy: "200", cells: { directory: "503" }, afterwards: "again" },
  {
    title: "new key",
    prepare: async (world) => {
      await retireAll(world);
      return post(KEYS, () => ({ alg: "ES256" }))(world);
    },
    healthy: "201",
    cells: { feed: "503", fresh: "503", directory: "503" },
    afterwards: "again",
  },
  {
    title: "a key retired",
    prepare: async (world) => {
      await retireAll(world);
      const { body } = await (await post(KEYS, () => ({ alg: "ES256" }))(world))();
      return () => administer(world, "DELETE", `${KEYS}${body.kid}/`);
    },
    healthy: "204",
    cells: { feed: "503", fresh: "503", directory: "503" },
    afterwards: "done",
    repeated: "404",
  },
  { title: "key rotation", prepare: post("/api/v1/keys/rotate", () => ({})), healthy: "200", cells: { feed: "503", fresh: "503", directory: "503" }, afterwards: "again" },
];

/** The parameters of an answer, which are in the fragment where tokens would be. @param {URL} location */
export const answered = ({ hash, searchParams }) => (hash === "" ? searchParams : new URLSearchParams(hash.slice(1)));

/**
 * What an answer is, as far as the table is concerned.
 *
 * @param {{ url: string }} server
 * @param {Answer} answer
 */
export function described(server, { status, headers, body }) {
  const location = headers.get("location");
  if (location !== null && status === 303) {
    const target = new URL(location, server.url);
    if (target.href.startsWith(server.url)) return `303 ${target.pathname}`;
    const said = answered(target);
    return `303 ${["code", "access_token"].find((name) => said.has(name)) ?? said.get("error")}`;
  }
  return body?.active === undefined ? String(status) : `${status} ${body.active ? "active" : "inactive"}`;
}

/**
 * @param {Row} row
 * @param {string} column
 * @param {boolean} cold
 * @returns {Outcome}
 */
export function expected({ cells = {} }, column, cold) {
  const cell = cells[column] ?? "works";
  return Array.isArray(cell) ? cell[cold ? 1 : 0] : cell;
}

/** The table of SECURITY.md. */
export function markdown() {
  const names = Object.keys(columns);
  /** @param {Outcome} outcome */
  const word = (outcome) => (outcome === "works" || outcome === "503" ? outcome : `\`${outcome}\``);
  const lines = rows.map((row) => {
    const cells = names.map((name) => {
      const [warm, cold] = [expected(row, name, false), expected(row, name, true)];
      return warm === cold ? word(warm) : `${word(warm)}; new isolate: ${word(cold)}`;
    });
    return `| ${[row.title, ...cells].join(" | ")} |`;
  });
  return [`| ${["", ...names.map((name) => columns[name].title)].join(" | ")} |`, `|---${"|---".repeat(names.length)}|`, ...lines].join("\n");
}
