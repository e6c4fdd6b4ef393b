// What a flow asks of the storage, counted at the bindings, and what a million of them cost.
// @ts-check
import { ask, browser, code, exchange, introspect, read, refresh, register, revoke, serveReady } from "../../tests/worker/support.js";
import { BINDINGS, serviceToken, subrequest } from "./edgemint.mjs";
import { caller, DIRECT, direct } from "./caller.mjs";
import { startWorkersOAuthProvider } from "./workers-oauth-provider.mjs";

/**
 * Dollars per million, as Cloudflare lists them in November 2026 for the paid plan, beyond what it includes. Not in
 * here: the Worker's own requests (0.30 a million), its CPU time, the objects' duration, and what lies stored.
 */
export const PRICES = { "KV get": 0.5, "KV put": 5, "KV delete": 5, "KV list": 5, "object call": 0.15, "row read": 0.001, "row written": 1 };

/** @typedef {Record<string, number>} Operations by the names of `PRICES` */

/** @param {Operations} operations */
export function price(operations) {
  return Object.entries(operations).reduce((sum, [name, count]) => sum + PRICES[/** @type {keyof typeof PRICES} */ (name)] * count, 0);
}

const RESOURCE = "https://resource.example/";
const RESOURCE_SERVER = "c-resource-server";

/** @returns {Promise<Record<string, Operations>>} by flow */
export async function ourCosts() {
  const server = await serveReady({
    script: "tests/worker/counting.js",
    // Polls of the feed are reported by time, not by flow.
    bindings: { ...BINDINGS, REVOCATION_MAX_AGE: "60" },
    workers: [caller({ name: "edgemint", entrypoint: "Edgemint", props: { client: RESOURCE_SERVER } })],
    unsafeDirectSockets: DIRECT,
  });
  try {
    const visitor = browser(server);
    const client = await register(server, { default_resource: RESOURCE });
    const machine = { redirect_uris: [], grant_types: ["client_credentials"], scope: "a" };
    const service = await register(server, machine);
    await register(server, { ...machine, client_id: RESOURCE_SERVER, serves: [RESOURCE] });
    const asking = await register(server, { implicit_consent: false });
    const resource = await direct(server.mf, "caller");
    const own = await serviceToken(server, 0);
    const bearer = (/** @type {string} */ token) => ({ headers: { authorization: `Bearer ${token}` } });
    const signIn = async (/** @type {typeof client} */ who) => (await exchange(server, who, await code(server, visitor, who))).body;
    let tokens = await signIn(client);
    const { body: issued } = await ask(server, "/oauth/token", service, { grant_type: "client_credentials" });

    /** @type {Record<string, () => Promise<{ status: number } | Response>>} */
    const flows = {
      "sign-in": async () => exchange(server, client, await code(server, visitor, client)),
      "sign-in, consent remembered": async () => exchange(server, asking, await code(server, visitor, asking)),
      refresh: async () => {
        const answer = await refresh(server, client, tokens.refresh_token);
        tokens = answer.body;
        return answer;
      },
      introspection: () => introspect(server, service, issued.access_token),
      validation: () => fetch(resource, bearer(tokens.access_token)),
      subrequest: () => fetch(`${server.url}/ingress/auth`, { headers: subrequest(tokens.access_token) }),
      "subrequest, a service's own token": () => fetch(`${server.url}/ingress/auth`, { headers: subrequest(own) }),
      client_credentials: () => ask(server, "/oauth/token", service, { grant_type: "client_credentials" }),
      userinfo: () => fetch(`${server.url}/oauth/userinfo`, bearer(tokens.access_token)),
      JWKS: () => fetch(`${server.url}/.well-known/jwks.json`),
      revocation: () => revoke(server, client, tokens.access_token),
    };
    /** @type {Record<string, Operations>} */
    const costs = {};
    for (const [name, flow] of Object.entries(flows)) {
      // Once to see everything for the first time; a revocation is done only once.
      if (name !== "revocation") await flow();
      await told(server.url);
      const { status } = await flow();
      if (status !== 200) throw new Error(`${name}: ${status}`);
      costs[name] = await told(server.url);
    }
    return costs;
  } finally {
    await server.stop();
  }
}

/** @param {string} url @returns {Promise<Operations>} */
async function told(url) {
  const { body: counted } = await read(await fetch(`${url}/counted`));
  const { body: rows } = await read(await fetch(`${url}/rows`));
  /** @type {Operations} */
  const operations = {};
  for (const [name, count] of Object.entries(counted)) {
    const what = name.includes(" kv ") ? name.slice(name.indexOf("kv")).replace("kv", "KV") : "object call";
    operations[what] = (operations[what] ?? 0) + Number(count);
  }
  if (rows.read) operations["row read"] = rows.read;
  if (rows.written) operations["row written"] = rows.written;
  return operations;
}

/**
 * @param {import("./load.mjs").LoadGenerator} load
 * @returns {Promise<Record<string, Operations>>}
 */
export async function peerCosts(load) {
  const peer = await startWorkersOAuthProvider({ load, counts: true });
  try {
    const counted = async () => (await read(await fetch(`${peer.url}/counted`))).body;
    /** @param {import("./rows.mjs").Work} work @param {Buffer[]} requests */
    const once = async ({ text, capture, order, tokens }, requests) => {
      const chain = order === "chain" ? { order, capture, tokens: tokens?.().slice(0, 1) } : {};
      await load.run({ url: peer.url, requests, count: 1, connections: 1, status: 200, text, ...chain });
    };
    const { "code exchange": exchanged, refresh: refreshed, validation } = peer.rows;
    await counted();
    await once(exchanged, (await exchanged.prepare?.(1)) ?? []);
    const signIn = await counted();
    await once(refreshed, refreshed.requests ?? []);
    const refreshing = await counted();
    await once(validation, validation.requests ?? []);
    return { "sign-in": signIn, refresh: refreshing, validation: await counted() };
  } finally {
    await peer.stop();
  }
}
