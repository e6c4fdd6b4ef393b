// @ts-check
// What the protocol suite asks of a server, whichever it is: everything by its metadata and over HTTP.
import assert from "node:assert/strict";
import { VERIFIER, challenge, read } from "../support.js";

/**
 * @typedef {import("../support.js").Client} Client
 * @typedef {import("../support.js").Answer} Answer
 *
 * @typedef {{ location?: URL, last: Answer }} Walked where the browser was sent, and what it saw last
 * @typedef {{ walk: (url: URL, options?: { deny?: boolean, form?: Record<string, string> }) => Promise<Walked> }} Browser signs in and agrees where it is asked
 *
 * @typedef {object} Started
 * @property {string} issuer
 * @property {(metadata: Record<string, unknown> & { asks?: boolean }) => Promise<Client>} register `asks`: people are asked whether they agree
 * @property {() => Browser} open
 * @property {() => Promise<void>} stop
 *
 * @typedef {Record<string, string | undefined>} Form a member that is undefined is not sent
 * @typedef {{ method?: string, headers?: Record<string, string>, body?: string, query?: string, as?: "basic" | "post" | "none" }} How
 */

export const REDIRECT = "https://client.example/callback";
/** A client that nobody registered. */
export const NOBODY = "c-nobody-knows";

/** @typedef {Awaited<ReturnType<typeof subject>>} Subject */

/** @param {Started} started */
export async function subject({ issuer, register, open }) {
  const metadata = (await read(await fetch(`${issuer}/.well-known/openid-configuration`))).body;
  const code = { redirect_uris: [REDIRECT], grant_types: ["authorization_code", "refresh_token"], scope: "openid profile email offline_access" };
  const clients = {
    web: await register({ ...code, token_endpoint_auth_method: "client_secret_basic" }),
    other: await register({ ...code, token_endpoint_auth_method: "client_secret_basic" }),
    post: await register({ ...code, token_endpoint_auth_method: "client_secret_post" }),
    page: await register({ ...code, token_endpoint_auth_method: "none" }),
    asking: await register({ ...code, token_endpoint_auth_method: "client_secret_basic", asks: true }),
    service: await register({ redirect_uris: [], grant_types: ["client_credentials"], scope: "a", token_endpoint_auth_method: "client_secret_basic" }),
  };
  const visitor = open();

  /** @param {Form} form */
  const encoded = (form) => new URLSearchParams(/** @type {Record<string, string>} */ (Object.fromEntries(Object.entries(form).filter(([, value]) => value !== undefined))));

  /** @param {Client} client @param {Form} [form] */
  function request(client, form = {}) {
    return {
      response_type: "code",
      client_id: client.client_id,
      redirect_uri: REDIRECT,
      scope: "openid",
      state: "state",
      code_challenge: challenge(VERIFIER),
      code_challenge_method: "S256",
      ...form,
    };
  }

  /**
   * Where a request leads who is signed in already, unless another browser is given.
   *
   * @param {Form} [form]
   * @param {{ client?: Client, browser?: Browser, deny?: boolean, more?: string, post?: boolean }} [options] `more` is added to the query as it is
   */
  async function authorize(form, { client = clients.web, browser = visitor, deny, more = "", post = false } = {}) {
    const url = new URL(metadata.authorization_endpoint);
    const query = encoded(request(client, form));
    if (post) return browser.walk(url, { deny, form: Object.fromEntries(query) });
    url.search = `${query}${more}`;
    return browser.walk(url, { deny });
  }

  /** The parameters of the answer at the client. @param {Parameters<typeof authorize>} request */
  async function answered(...request) {
    const { location, last } = await authorize(...request);
    assert.ok(location && location.href.startsWith(`${REDIRECT}?`), `not led to the client: ${location ?? last.status}`);
    return location.searchParams;
  }

  /** The error of the answer at the client. @param {Parameters<typeof authorize>} request */
  async function refused(...request) {
    const answer = await answered(...request);
    assert.equal(answer.get("code"), null);
    return answer.get("error");
  }

  /** No redirect to anybody. @param {Parameters<typeof authorize>} request */
  async function notLed(...request) {
    const { location, last } = await authorize(...request);
    assert.equal(location, undefined);
    assert.ok(last.status >= 400 && last.status < 500, String(last.status));
  }

  /** @param {Form} [form] @param {Parameters<typeof authorize>[1]} [options] */
  async function freshCode(form, options) {
    const found = (await answered(form, options)).get("code");
    assert.ok(found);
    return found;
  }

  /**
   * A form post to an endpoint of the metadata, by a client that authenticates as it is registered, or as told.
   *
   * @param {string} endpoint
   * @param {Client} client
   * @param {Form} form
   * @param {How} [how]
   */
  async function ask(endpoint, client, form, { method = "POST", headers = {}, body, query = "", as } = {}) {
    const registered = /** @type {const} */ ({ client_secret_basic: "basic", client_secret_post: "post", none: "none" });
    const by = as ?? registered[/** @type {keyof typeof registered} */ (client.token_endpoint_auth_method)];
    const secret = client.client_secret ?? "";
    const basic = Buffer.from(`${encodeURIComponent(client.client_id)}:${encodeURIComponent(secret)}`).toString("base64");
    const own = by === "basic" ? {} : by === "post" ? { client_id: client.client_id, client_secret: secret } : { client_id: client.client_id };
    return read(
      await fetch(`${metadata[endpoint]}${query}`, {
        method,
        headers: { ...(by === "basic" ? { authorization: `Basic ${basic}` } : {}), "content-type": "application/x-www-form-urlencoded", ...headers },
        body: method === "GET" ? undefined : (body ?? encoded({ ...own, ...form })),
      }),
    );
  }

  /** @param {Client} client @param {Form} form @param {How} [how] */
  const token = (client, form, how) => ask("token_endpoint", client, form, how);

  /** @param {string} given @param {Form} [form] @param {How & { client?: Client }} [how] */
  const exchange = (given, form, { client = clients.web, ...how } = {}) =>
    token(client, { grant_type: "authorization_code", code: given, redirect_uri: REDIRECT, code_verifier: VERIFIER, ...form }, how);

  /** @param {string} given @param {Form} [form] @param {Client} [client] */
  const refresh = (given, form, client = clients.web) => token(client, { grant_type: "refresh_token", refresh_token: given, ...form });

  /** Tokens of a sign-in. @param {Form} [form] @param {Client} [client] */
  async function tokens(form, client = clients.web) {
    const { status, body } = await exchange(await freshCode(form, { client }), {}, { client });
    assert.equal(status, 200, JSON.stringify(body));
    return body;
  }

  /** @param {string} given @param {Form} [form] @param {Client} [client] */
  const introspect = (given, form, client = clients.web) => ask("introspection_endpoint", client, { token: given, ...form });

  /** @param {string} given @param {Client} [client] @returns {Promise<boolean>} */
  const active = async (given, client) => (await introspect(given, {}, client)).body.active;

  /** @param {string} given @param {Form} [form] @param {Client} [client] */
  const revoke = (given, form, client = clients.web) => ask("revocation_endpoint", client, { token: given, ...form });

  /** @param {string | undefined} bearer @param {{ method?: string, form?: Record<string, string>, query?: string }} [how] */
  const userinfo = async (bearer, { method = "GET", form, query = "" } = {}) =>
    read(
      await fetch(`${metadata.userinfo_endpoint}${query}`, {
        method,
        headers: bearer === undefined ? {} : { authorization: `Bearer ${bearer}` },
        body: form && new URLSearchParams(form),
      }),
    );

  return { issuer, metadata, clients, open, authorize, answered, refused, notLed, code: freshCode, ask, token, exchange, refresh, tokens, introspect, active, revoke, userinfo };
}

/** The status, and `error` of RFC 6749 §5.2. @param {Answer} answer */
export function assertRefused({ status, body }, /** @type {number | number[]} */ wanted, /** @type {string | string[]} */ errors) {
  assert.ok([wanted].flat().includes(status), `status ${status} ${JSON.stringify(body)}`);
  assert.ok([errors].flat().includes(body?.error), `error ${body?.error}`);
}
