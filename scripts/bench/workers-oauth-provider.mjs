// `@cloudflare/workers-oauth-provider` over KV: what it has of what we measure.
// @ts-check
import { join } from "node:path";
import { Miniflare } from "miniflare";
import { CALLBACK, challenge, VERIFIER } from "../../tests/worker/support.js";
import { root } from "../lib/steps.mjs";
import { compatibility, DIRECT, direct } from "./caller.mjs";
import { CONNECTIONS, request } from "./load.mjs";

/** Its address as it is configured; where it listens is another matter. */
const ORIGIN = "http://127.0.0.1:8788";
const HOST = { host: "127.0.0.1:8788" };
const TOKENS = 64;

/**
 * @param {{ load: import("./load.mjs").LoadGenerator, persist?: string, counts?: boolean }} options
 * @returns {Promise<import("./rows.mjs").Subject>}
 */
export async function startWorkersOAuthProvider({ load, persist, counts = false }) {
  const mf = new Miniflare({
    host: "127.0.0.1",
    cf: false,
    ...(persist ? { defaultPersistRoot: persist } : {}),
    workers: [
      {
        name: "peer",
        rootPath: root,
        modulesRoot: root,
        scriptPath: join(root, "scripts/bench/workers-oauth-provider.worker.js"),
        modules: true,
        modulesRules: [{ type: "ESModule", include: ["**/*.js"] }],
        ...compatibility(),
        bindings: { COUNTS: counts },
        kvNamespaces: ["OAUTH_KV"],
        unsafeDirectSockets: DIRECT,
      },
    ],
  });
  const url = await direct(mf, "peer");
  const client = await register(mf);

  let people = 0;
  /**
   * Each for somebody else: a new authorization ends the earlier one of the same person.
   *
   * @param {number} count
   * @returns {Promise<string[]>}
   */
  async function codes(count) {
    const requests = Array.from({ length: count }, () => {
      const query = new URLSearchParams({
        response_type: "code",
        client_id: client.client_id,
        redirect_uri: CALLBACK,
        scope: "openid offline_access",
        state: "s",
        resource: `${ORIGIN}/api`,
        code_challenge: challenge(VERIFIER),
        code_challenge_method: "S256",
        person: `person-${(people += 1)}`,
      });
      return request(`${url}/authorize?${query}`, { headers: HOST });
    });
    const { captured } = await load.run({ url, requests, order: "once", status: 302, text: "code=", capture: "[?&]code=([^&\\s]+)" });
    return captured.map(decodeURIComponent);
  }

  const credentials = { authorization: `Basic ${btoa(`${encodeURIComponent(client.client_id)}:${encodeURIComponent(client.client_secret)}`)}` };
  const token = (/** @type {Record<string, string>} */ form) => request(`${url}/oauth/token`, { headers: { ...HOST, ...credentials }, form });
  const exchange = (/** @type {string} */ code) => token({ grant_type: "authorization_code", code, redirect_uri: CALLBACK, code_verifier: VERIFIER });

  /** @param {number} count @param {string} field */
  async function fromCodes(count, field) {
    const requests = (await codes(count)).map(exchange);
    const { captured } = await load.run({ url, requests, order: "once", status: 200, text: field, capture: `"${field}":"([^"]+)"` });
    return captured;
  }

  const tokens = await fromCodes(TOKENS, "access_token");
  let families = await fromCodes(CONNECTIONS, "refresh_token");
  return {
    name: "workers-oauth-provider",
    url,
    rows: {
      validation: {
        requests: tokens.map((bearer) => request(`${url}/api`, { headers: { ...HOST, authorization: `Bearer ${bearer}` } })),
        text: '"active":true',
      },
      "code exchange": { order: "once", text: '"access_token"', prepare: async (count) => (await codes(count)).map(exchange) },
      refresh: {
        order: "chain",
        text: '"access_token"',
        requests: [token({ grant_type: "refresh_token", refresh_token: "{captured}" })],
        capture: '"refresh_token":"([^"]+)"',
        tokens: () => families,
        left: (left) => (families = left),
      },
    },
    stop: () => mf.dispose(),
  };
}

/** @param {Miniflare} mf @returns {Promise<{ client_id: string, client_secret: string }>} */
async function register(mf) {
  const response = await mf.dispatchFetch(`${ORIGIN}/register`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      client_name: "Bench",
      redirect_uris: [CALLBACK],
      grant_types: ["authorization_code", "refresh_token"],
      token_endpoint_auth_method: "client_secret_basic",
    }),
  });
  if (response.status !== 201) throw new Error(`register: ${response.status} ${await response.text()}`);
  return /** @type {any} */ (await response.json());
}
