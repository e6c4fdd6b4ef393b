// Ours: a server with clients, tokens and people who are signed in.
// @ts-check
import { api, made, authorizeUrl, browser, register, serveReady, VERIFIER } from "../../tests/worker/support.js";
import { CALLER, caller, DIRECT, direct } from "./caller.mjs";
import { CONNECTIONS, request } from "./load.mjs";
import { MINIFLARE } from "./rows.mjs";

const RESOURCE = "https://resource.example/";
const RESOURCE_SERVER = "c-resource-server";
/** How many tokens take turns: one alone would be answered from the processor's cache. */
const TOKENS = 64;
const REDIRECTED = 303;

/** Nothing is logged, as with the others, and the feed is asked as often as by default. */
export const BINDINGS = { EDGEMINT_LOG: "nothing", REVOCATION_MAX_AGE: "5", PROXY_SECRET: "the-secret-of-the-proxy-of-the-benchmark" };

/** What nginx sends with a subrequest. @param {string} token */
export const subrequest = (token) => ({
  authorization: `Bearer ${token}`,
  "x-edgemint-proxy": BINDINGS.PROXY_SECRET,
  "x-original-url": `${RESOURCE}x`,
  "x-original-method": "GET",
  "x-forwarded-for": "192.0.2.1",
});

/**
 * A token that lives without end.
 *
 * @param {{ url: string }} server
 * @param {number} index
 * @returns {Promise<string>}
 */
export async function serviceToken(server, index) {
  return (await made(server, "tokens", { username: `bot-service-${index}`, token_type: "service", scopes: ["openid"] })).token;
}

/**
 * @param {{ load: import("./load.mjs").LoadGenerator, people: number, persist?: string }} options `people`: spread over the 16 shards
 * @returns {Promise<import("./rows.mjs").Subject>}
 */
export async function startEdgemint({ load, people, persist }) {
  const server = await serveReady({
    bindings: BINDINGS,
    persist,
    log: (line) => console.error(line),
    unsafeDirectSockets: DIRECT,
    workers: [caller({ name: "edgemint", entrypoint: "Edgemint", props: { client: RESOURCE_SERVER } })],
  });
  const url = await direct(server.mf, "edgemint");
  const client = await register(server, { default_resource: RESOURCE });
  const machine = { redirect_uris: [], grant_types: ["client_credentials"], scope: "a" };
  const service = await register(server, machine);
  await register(server, { ...machine, client_id: RESOURCE_SERVER, serves: [RESOURCE] });
  const cookies = await signIn(server, client, people);

  /** @param {number} count @returns {Promise<string[]>} */
  async function codes(count) {
    const where = authorizeUrl(server, client, { prompt: "none" });
    const asks = Array.from({ length: count }, (_, index) =>
      request(url + where.pathname + where.search, { headers: { cookie: cookies[index % cookies.length] } }),
    );
    const { captured } = await load.run({ url, requests: asks, order: "once", status: REDIRECTED, text: "code=", capture: "[?&]code=([^&\\s]+)" });
    return captured;
  }

  /** @param {string} found */
  const exchangeRequest = (found) =>
    request(`${url}/oauth/token`, {
      headers: basic(client),
      form: { grant_type: "authorization_code", code: found, redirect_uri: client.redirect_uris[0], code_verifier: VERIFIER },
    });

  /** @param {number} count @param {string} field */
  async function fromCodes(count, field) {
    const requests = (await codes(count)).map(exchangeRequest);
    const { captured } = await load.run({ url, requests, order: "once", status: 200, text: field, capture: `"${field}":"([^"]+)"` });
    return captured;
  }

  const issued = request(`${url}/oauth/token`, { headers: basic(service), form: { grant_type: "client_credentials" } });
  const own = await load.run({ url, requests: [issued], count: TOKENS, status: 200, text: "Bearer", capture: '"access_token":"([^"]+)"' });
  const personal = await fromCodes(TOKENS, "access_token");
  let [spare, ...families] = await fromCodes(1 + CONNECTIONS, "refresh_token");
  const refreshRequest = (/** @type {string} */ token) =>
    request(`${url}/oauth/token`, { headers: basic(client), form: { grant_type: "refresh_token", refresh_token: token } });
  const bearer = (/** @type {string} */ token) => ({ authorization: `Bearer ${token}` });

  const services = await Promise.all(Array.from({ length: TOKENS }, (_, index) => serviceToken(server, index)));
  const gate = (/** @type {string[]} */ tokens) => ({
    requests: tokens.map((token) => request(`${url}/ingress/auth?scope=openid`, { headers: subrequest(token) })),
    text: '"status":"ok"',
  });

  const introspection = {
    requests: own.captured.map((token) => request(`${url}/oauth/introspect`, { headers: basic(service), form: { token } })),
    text: '"active":true',
  };
  const clientCredentials = { requests: [issued], text: '"access_token"' };

  return {
    name: "edgemint",
    url,
    rows: {
      introspection,
      [`introspection${MINIFLARE}`]: { ...introspection, url: server.url },
      check_token: {
        requests: own.captured.map((token) => request(`${url}/oauth/check_token`, { headers: basic(service), form: { token, scope: "a" } })),
        text: '"active":true',
      },
      validation: {
        url: await direct(server.mf, "caller"),
        requests: personal.map((token) => request(`${url}/`, { headers: bearer(token) })),
        text: '"active":true',
      },
      [`validation${MINIFLARE}`]: {
        url: server.url,
        requests: personal.map((token) => request(`${server.url}/`, { headers: { host: CALLER, ...bearer(token) } })),
        text: '"active":true',
      },
      subrequest: gate(personal),
      "subrequest, a service's own token": gate(services),
      client_credentials: clientCredentials,
      [`client_credentials${MINIFLARE}`]: { ...clientCredentials, url: server.url },
      "code exchange": {
        order: "once",
        text: '"id_token"',
        prepare: async (count) => (await codes(count)).map(exchangeRequest),
      },
      refresh: {
        order: "chain",
        text: '"id_token"',
        requests: [refreshRequest("{captured}")],
        sample: refreshRequest(spare),
        capture: '"refresh_token":"([^"]+)"',
        tokens: () => families,
        left: (tokens) => (families = tokens),
      },
      userinfo: { requests: personal.map((token) => request(`${url}/oauth/userinfo`, { headers: bearer(token) })), text: '"sub"' },
      JWKS: { requests: [request(`${url}/.well-known/jwks.json`)], text: '"keys"' },
    },
    stop: () => server.stop(),
  };
}

/** @param {import("../../tests/worker/support.js").Client} client */
export function basic(client) {
  return { authorization: `Basic ${btoa(`${encodeURIComponent(client.client_id)}:${encodeURIComponent(client.client_secret ?? "")}`)}` };
}

/**
 * Makes people, and signs them in.
 *
 * @param {import("../../tests/worker/support.js").Server} server
 * @param {import("../../tests/worker/support.js").Client} client
 * @param {number} people
 * @returns {Promise<string[]>} their cookies
 */
async function signIn(server, client, people) {
  const cookies = [];
  for (let index = 0; index < people; index += 1) {
    const person = { username: `person-${index}`, password: "correct horse battery" };
    const { status, text } = await api(server, "/api/v1/accounts/", { first_name: "A", last_name: "B", ...person });
    if (status !== 201) throw new Error(`account: ${status} ${text}`);
    const visitor = browser(server);
    const { location, last } = await visitor.walk(authorizeUrl(server, client), person);
    if (!location?.searchParams.has("code")) throw new Error(`sign-in: ${location ?? last.text}`);
    cookies.push(Array.from(visitor.cookies, (pair) => pair.join("=")).join("; "));
  }
  return cookies;
}
