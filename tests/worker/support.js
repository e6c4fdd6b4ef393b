// @ts-check
/**
 * What the tests of the running worker share: a server with an administrator, clients, a browser
 * without JavaScript, and the requests that a client makes.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { startServer } from "../../scripts/server.mjs";
import { routes } from "../../src/routes.js";

/**
 * @typedef {import("../../scripts/server.mjs").Server & { lines: string[] }} Server `lines`: what the worker wrote
 *
 * @typedef {Record<string, any> & { client_id: string, client_secret?: string, redirect_uris: string[] }} Client
 *
 * @typedef {{ status: number, headers: Headers, body: any, text: string }} Answer
 */

export const BOOTSTRAP_TOKEN = "bootstrap-canary-zqcbn7vd3mwk5xjh";
export const ROOT_SECRET = "root-canary-8f2hskq0vnx6tyw4zj1mlp";
export const ADMINISTRATOR = { username: "admin", password: "password-canary-staple" };
/** Nobody listens there, and nobody has to: the browser below looks at the `Location`. */
export const CALLBACK = "http://127.0.0.1:9/callback";
export const VERIFIER = "verifier-canary-dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/** The routes, with a path of each: the management API has one for all it keeps. */
export const examples = Object.fromEntries(Object.entries(routes).map(([path, found]) => [path.replace("{username}/token*", "me/tokens").replace("{username}/*", "me/sessions").replace(/\*$/, "roles/"), found]));

/**
 * A server that asks the feed at every request, logs nothing and has no assets, unless said otherwise.
 *
 * @param {import("../../scripts/server.mjs").ServerOptions} [options]
 * @returns {Promise<Server>}
 */
export async function serve({ bindings = {}, ...options } = {}) {
  /** @type {string[]} */
  const lines = [];
  const server = await startServer({
    assets: false,
    log: (/** @type {string} */ line) => lines.push(line),
    ...options,
    bindings: {
      ROOT_SECRETS: ROOT_SECRET,
      BOOTSTRAP_TOKEN,
      EDGEMINT_LOG: "nothing",
      REVOCATION_MAX_AGE: "0",
      ...bindings,
    },
  });
  return Object.assign(server, { lines });
}

/**
 * A server with its first administrator.
 *
 * @param {Parameters<typeof serve>[0]} [options]
 */
export async function serveReady(options) {
  const server = await serve(options);
  const made = await api(server, "/api/v1/first-run", ADMINISTRATOR);
  if (made.status !== 201) throw new Error(`first run: ${made.status} ${made.text}`);
  return server;
}

/**
 * Reads an answer whole.
 *
 * @param {Response} response
 * @returns {Promise<Answer>}
 */
export async function read(response) {
  const text = await response.text();
  const json = /[/+]json/.test(response.headers.get("content-type") ?? "");
  return { status: response.status, headers: response.headers, text, body: json && text !== "" ? JSON.parse(text) : undefined };
}

/**
 * A request with the bootstrap token: a JSON post, or a question if there is nothing to say.
 *
 * @param {{ url: string }} server
 * @param {string} path
 * @param {unknown} [body]
 * @param {string} [method]
 */
export async function api(server, path, body, method = body === undefined ? "GET" : "POST") {
  const headers = { authorization: `Bearer ${BOOTSTRAP_TOKEN}`, ...(body === undefined ? {} : { "content-type": "application/json" }) };
  return read(await fetch(server.url + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) }));
}

/**
 * A new record of the management API, as it is answered.
 *
 * @param {{ url: string }} server
 * @param {string} path below `/api/v1/`
 * @param {unknown} body
 */
export async function made(server, path, body) {
  const answer = await api(server, `/api/v1/${path}`, body);
  assert.equal(answer.status, 201, answer.text);
  return answer.body;
}

/**
 * @param {{ url: string }} server
 * @param {Record<string, unknown>} [metadata] besides a code client with refresh and implicit consent
 * @returns {Promise<Client>}
 */
export async function register(server, metadata = {}) {
  const { status, body, text } = await api(server, "/oauth/register", {
    client_name: "Test",
    redirect_uris: [CALLBACK],
    grant_types: ["authorization_code", "refresh_token"],
    scope: "openid profile email offline_access",
    implicit_consent: true,
    ...metadata,
  });
  if (status !== 201) throw new Error(`register: ${status} ${text}`);
  return body;
}

/**
 * A browser: keeps cookies, follows nothing by itself, runs no script.
 *
 * @param {{ url: string }} server
 */
export function browser(server) {
  /** @type {Map<string, string>} */
  const cookies = new Map();

  /**
   * @param {string | URL} url absolute, or a path of the server
   * @param {{ form?: Record<string, string>, headers?: Record<string, string> }} [options]
   */
  async function go(url, { form, headers = {} } = {}) {
    const response = await fetch(new URL(url, server.url), {
      method: form ? "POST" : "GET",
      redirect: "manual",
      headers: {
        ...(cookies.size > 0 ? { cookie: Array.from(cookies, ([name, value]) => `${name}=${value}`).join("; ") } : {}),
        // Our pages send no referrer; then this is what browsers say of a form on them.
        ...(form ? { origin: "null", "sec-fetch-site": "same-origin" } : {}),
        ...headers,
      },
      body: form && new URLSearchParams(form),
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (/; max-age=0(;|$)/i.test(line)) cookies.delete(name);
      else cookies.set(name, value);
    }
    return read(response);
  }

  /**
   * Follows redirects and fills in our pages until it is sent elsewhere or shown something else.
   *
   * @param {string | URL} start
   * @param {{ username?: string, password?: string, decision?: string }} [person]
   * @returns {Promise<{ location?: URL, pages: string[], last: Answer }>} where it was sent; the pages that asked
   */
  async function walk(start, person = {}) {
    const { username, password, decision = "allow" } = { ...ADMINISTRATOR, ...person };
    const pages = [];
    let last = await go(start);
    for (let steps = 0; steps < 12; steps += 1) {
      const location = last.headers.get("location");
      if (location !== null) {
        const target = new URL(location, server.url);
        const ours = target.href.startsWith(server.url) && /^\/(login|logout|consent|oauth\/(authorize|logout))$/.test(target.pathname);
        if (!ours) return { location: target, pages, last };
        last = await go(target);
        continue;
      }
      const form = formOf(last.text);
      // A form that leads to a client is an answer, and the client's to read.
      const own = form !== undefined && new URL(form.action, server.url).href.startsWith(server.url);
      if (!own || last.status !== 200) return { pages, last };
      const page = new URL(form.action, server.url).pathname;
      pages.push(page);
      /** @type {Record<string, string>} */
      const typed = page === "/login" ? { username, password } : page === "/consent" ? { decision } : {};
      last = await go(form.action, { form: { ...form.hidden, ...typed } });
    }
    throw new Error("the browser was sent in circles");
  }

  return { go, walk, cookies };
}

/** What the browser sends as `Cookie`. @param {ReturnType<typeof browser>} visitor */
export const cookieOf = (visitor) => Array.from(visitor.cookies, ([name, value]) => `${name}=${value}`).join("; ");

/**
 * Asks the management API as a page of ours does: with the cookies, and with the value that changes need.
 *
 * @param {{ url: string }} server
 * @param {ReturnType<typeof browser>} visitor
 * @param {string} method
 * @param {string} path
 * @param {string | null} [csrf] instead of the session's own; `null` for none
 * @param {unknown} [body]
 */
export async function ofOwn(server, visitor, method, path, csrf, body) {
  const value = method === "GET" ? null : csrf === undefined ? (await visitor.go("/api/v1/login")).body.csrf : csrf;
  const type = body === undefined ? {} : { "content-type": "application/json" };
  const headers = { cookie: cookieOf(visitor), "sec-fetch-site": "same-origin", ...(value === null ? {} : { "x-csrf-token": value }), ...type };
  return read(await fetch(server.url + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) }));
}

/**
 * The first form of a page, or the first one that posts to `action`: where that is, and what it posts unseen.
 *
 * @param {string} html
 * @param {string} [action]
 * @returns {{ action: string, hidden: Record<string, string> } | undefined}
 */
export function formOf(html, action) {
  const forms = Array.from(html.matchAll(/<form[^>]*\baction="([^"]*)"[^>]*>([^]*?)<\/form>/g));
  const form = forms.find(([, target]) => action === undefined || plain(target) === action);
  if (form === undefined) return undefined;
  const hidden = Array.from(form[2].matchAll(/<input[^>]*type="hidden"[^>]*>/g), ([input]) => [
    plain(/name="([^"]*)"/.exec(input)?.[1] ?? ""),
    plain(/value="([^"]*)"/.exec(input)?.[1] ?? ""),
  ]);
  return { action: plain(form[1]), hidden: Object.fromEntries(hidden) };
}

/**
 * What a client is told through the browser of somebody who is not asked: where that is sent, or the post that its form is.
 *
 * @param {ReturnType<typeof browser>} visitor
 * @param {URL} url
 * @returns {Promise<URL | Request>}
 */
export async function told(visitor, url) {
  const page = await visitor.go(url);
  const location = page.headers.get("location");
  if (location !== null) return new URL(location);
  assert.equal(page.status, 200, page.text);
  const form = formOf(page.text);
  assert.equal(form?.action, CALLBACK);
  return new Request(CALLBACK, { method: "POST", body: new URLSearchParams(form?.hidden) });
}

/**
 * Goes where a device says, and answers.
 *
 * @param {ReturnType<typeof browser>} visitor
 * @param {string} complete its `verification_uri_complete`
 * @param {string} decision
 */
export async function answerDevice(visitor, complete, decision) {
  const typed = await visitor.go(complete);
  const form = formOf(typed.text, "/device");
  assert.ok(form, typed.text);
  const user_code = new URL(complete).searchParams.get("user_code") ?? "";
  const led = await visitor.go("/device", { form: { ...form.hidden, user_code } });
  assert.equal(led.status, 303, led.text);
  const question = await visitor.go(/** @type {string} */ (led.headers.get("location")));
  assert.ok(question.text.includes(user_code) && question.text.includes("in front of you"));
  const asked = formOf(question.text, "/device");
  assert.ok(asked);
  return visitor.go("/device", { form: { ...asked.hidden, decision } });
}

/** @param {string} html */
function plain(html) {
  return html.replaceAll("&quot;", '"').replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&#39;", "'").replaceAll("&amp;", "&");
}

/** @param {string} verifier */
export function challenge(verifier) {
  return createHash("sha256").update(verifier).digest("base64url");
}

/**
 * Where a client sends the browser.
 *
 * @param {{ url: string }} server
 * @param {Client} client
 * @param {Record<string, string>} [more]
 */
export function authorizeUrl(server, client, more = {}) {
  const url = new URL("/oauth/authorize", server.url);
  url.search = new URLSearchParams({
    response_type: "code",
    client_id: client.client_id,
    redirect_uri: client.redirect_uris[0],
    scope: "openid offline_access",
    code_challenge: challenge(VERIFIER),
    code_challenge_method: "S256",
    ...more,
  }).toString();
  return url;
}

/**
 * A code for somebody who is signed in, or signs in.
 *
 * @param {{ url: string }} server
 * @param {ReturnType<typeof browser>} visitor
 * @param {Client} client
 * @param {Record<string, string>} [more]
 * @returns {Promise<string>}
 */
export async function code(server, visitor, client, more) {
  const { location, last } = await visitor.walk(authorizeUrl(server, client, more));
  const found = location?.searchParams.get("code");
  if (!found) throw new Error(`no code: ${location ?? `${last.status} ${last.text}`}`);
  return found;
}

/**
 * A form post by a client that authenticates as it is registered.
 *
 * @param {{ url: string }} server
 * @param {string} path
 * @param {Client} client
 * @param {Record<string, string>} form
 */
export async function ask(server, path, client, form) {
  const basic = client.token_endpoint_auth_method === "client_secret_basic";
  const credentials = btoa(`${encodeURIComponent(client.client_id)}:${encodeURIComponent(client.client_secret ?? "")}`);
  return read(
    await fetch(server.url + path, {
      method: "POST",
      headers: basic ? { authorization: `Basic ${credentials}` } : {},
      body: new URLSearchParams({
        ...(basic ? {} : { client_id: client.client_id }),
        ...(client.token_endpoint_auth_method === "client_secret_post" ? { client_secret: client.client_secret } : {}),
        ...form,
      }),
    }),
  );
}

/**
 * @param {{ url: string }} server
 * @param {Client} client
 * @param {string} code
 * @param {Record<string, string>} [more]
 */
export function exchange(server, client, code, more) {
  return ask(server, "/oauth/token", client, {
    grant_type: "authorization_code",
    code,
    redirect_uri: client.redirect_uris[0],
    code_verifier: VERIFIER,
    ...more,
  });
}

/**
 * @param {{ url: string }} server
 * @param {Client} client
 * @param {string} token
 */
export function refresh(server, client, token) {
  return ask(server, "/oauth/token", client, { grant_type: "refresh_token", refresh_token: token });
}

/**
 * @param {{ url: string }} server
 * @param {Client} client
 * @param {string} token
 */
export function introspect(server, client, token) {
  return ask(server, "/oauth/introspect", client, { token });
}

/**
 * @param {{ url: string }} server
 * @param {Client} client
 * @param {string} token
 */
export function revoke(server, client, token) {
  return ask(server, "/oauth/revoke", client, { token });
}

/**
 * Calls as many times at once, and counts from 0.
 *
 * @template T
 * @param {number} times
 * @param {(index: number) => Promise<T>} call
 * @returns {Promise<T[]>}
 */
export function atOnce(times, call) {
  return Promise.all(Array.from({ length: times }, (_, index) => call(index)));
}
