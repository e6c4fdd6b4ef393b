// `oidc-provider`, in a Node process of its own.
// @ts-check
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { CALLBACK, VERIFIER } from "../../tests/worker/support.js";
import { CONNECTIONS, request } from "./load.mjs";

const TOKENS = 64;

/**
 * @param {{ load: import("./load.mjs").LoadGenerator, people: number }} options
 * @returns {Promise<import("./rows.mjs").Subject>}
 */
export async function startOidcProvider({ load, people }) {
  const child = fork(fileURLToPath(new URL("oidc-provider.process.mjs", import.meta.url)), { execArgv: [] });
  const [{ url, client }] = await Promise.race([once(child, "message"), once(child, "exit").then(([code]) => Promise.reject(new Error(`oidc-provider: exit ${code}`)))]);

  /** Its sign-in is its embedder's page, so the codes are asked of the process. @param {number} count @returns {Promise<string[]>} */
  async function codes(count) {
    child.send({ count, people });
    return (await once(child, "message"))[0].codes;
  }

  const credentials = { authorization: `Basic ${btoa(`${client.client_id}:${client.client_secret}`)}` };
  const post = (/** @type {string} */ path, /** @type {Record<string, string>} */ form) => request(url + path, { headers: credentials, form });
  const exchange = (/** @type {string} */ code) => post("/token", { grant_type: "authorization_code", code, redirect_uri: CALLBACK, code_verifier: VERIFIER });

  /** @param {Buffer[]} requests @param {string} field @param {number} count */
  async function taken(requests, field, count) {
    const { captured } = await load.run({ url, requests, count, status: 200, text: field, capture: `"${field}":"([^"]+)"` });
    return captured;
  }

  const issued = post("/token", { grant_type: "client_credentials" });
  const own = await taken([issued], "access_token", TOKENS);
  const personal = await taken((await codes(TOKENS)).map(exchange), "access_token", TOKENS);
  let families = await taken((await codes(CONNECTIONS)).map(exchange), "refresh_token", CONNECTIONS);
  return {
    name: "oidc-provider",
    url,
    rows: {
      introspection: { requests: own.map((token) => post("/token/introspection", { token })), text: '"active":true' },
      client_credentials: { requests: [issued], text: '"access_token"' },
      "code exchange": { order: "once", text: '"id_token"', prepare: async (count) => (await codes(count)).map(exchange) },
      refresh: {
        order: "chain",
        text: '"id_token"',
        requests: [post("/token", { grant_type: "refresh_token", refresh_token: "{captured}" })],
        capture: '"refresh_token":"([^"]+)"',
        tokens: () => families,
        left: (left) => (families = left),
      },
      userinfo: { requests: personal.map((token) => request(`${url}/me`, { headers: { authorization: `Bearer ${token}` } })), text: '"sub"' },
      JWKS: { requests: [request(`${url}/jwks`)], text: '"keys"' },
    },
    stop: async () => {
      child.kill();
      await once(child, "exit");
    },
  };
}
