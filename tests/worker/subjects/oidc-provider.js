// @ts-check
// npm's oidc-provider in this process and in memory, with the policy that we have, as a subject of the protocol suite.
import { createServer } from "node:http";
// @ts-expect-error: it comes without types
import Provider from "oidc-provider";
import { browser } from "../support.js";

const SCOPES = ["openid", "profile", "email", "offline_access", "a", "b"];
const MOST_REDIRECTS = 12;

/** @returns {Promise<import("./subject.js").Started>} */
export async function start() {
  /** @type {import("node:http").RequestListener} */
  let answer = () => {};
  const server = createServer((request, response) => answer(request, response)).unref();
  await new Promise((listening) => server.listen(0, "127.0.0.1", () => listening(undefined)));
  const issuer = `http://127.0.0.1:${/** @type {import("node:net").AddressInfo} */ (server.address()).port}`;
  const provider = quietly(() => new Provider(issuer, configuration()));
  const inner = provider.callback();
  answer = async (request, response) => {
    if (!request.url?.startsWith("/interaction/")) return inner(request, response);
    // Its page: who comes is signed in, or says no.
    const result = request.headers["x-deny"] ? { error: "access_denied" } : { login: { accountId: "alice" } };
    await provider.interactionFinished(request, response, result).catch((/** @type {unknown} */ error) => response.writeHead(500).end(String(error)));
  };
  return {
    issuer,
    register: ({ asks, scope, ...metadata }) => add(issuer, { ...metadata, scope }),
    open() {
      const { go } = browser({ url: issuer });
      return {
        async walk(url, { deny = false, form } = {}) {
          const headers = /** @type {Record<string, string>} */ (deny ? { "x-deny": "1" } : {});
          let last = await go(url, { form, headers });
          for (let steps = 0; steps < MOST_REDIRECTS; steps += 1) {
            const location = last.headers.get("location");
            if (location === null) return { last };
            const target = new URL(location, issuer);
            if (target.origin !== issuer) return { location: target, last };
            last = await go(target, { headers });
          }
          throw new Error("the browser was sent in circles");
        },
      };
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

/** Our policy, in its words. */
function configuration() {
  return {
    scopes: SCOPES,
    claims: { openid: ["sub"], profile: ["name"], email: ["email"] },
    enableHttpPostMethods: true, // which wants the cookies of other sites' requests, too
    cookies: { keys: ["a key of the tests"], long: { sameSite: "none" }, short: { sameSite: "none" } },
    allowOmittingSingleRegisteredRedirectUri: false,
    pkce: { required: () => true },
    responseTypes: ["code"],
    rotateRefreshToken: true,
    clientAuthMethods: ["client_secret_basic", "client_secret_post", "none"],
    issueRefreshToken: async (/** @type {any} */ _, /** @type {any} */ client) => client.grantTypeAllowed("refresh_token"),
    findAccount: async (/** @type {any} */ _, /** @type {string} */ sub) => ({ accountId: sub, claims: async () => ({ sub, name: "Alice" }) }),
    ttl: { AccessToken: 3600, AuthorizationCode: 60, ClientCredentials: 3600, Grant: 86400, IdToken: 600, Interaction: 900, RefreshToken: 86400, Session: 86400 },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: {
        enabled: true,
        allowedPolicy: async (/** @type {any} */ _, /** @type {any} */ client, /** @type {any} */ token) => token.clientId === client.clientId,
      },
      revocation: { enabled: true },
      registration: { enabled: true },
      resourceIndicators: { enabled: false },
    },
    interactions: { url: (/** @type {any} */ _, /** @type {any} */ interaction) => `/interaction/${interaction.uid}` },
    async loadExistingGrant(/** @type {any} */ context) {
      const { client, session, provider } = context.oidc;
      const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
      grant.addOIDCScope(SCOPES.join(" "));
      await grant.save();
      return grant;
    },
  };
}

/** @param {string} issuer @param {Record<string, unknown>} metadata */
async function add(issuer, metadata) {
  const answer = await fetch(`${issuer}/reg`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ response_types: Array.isArray(metadata.redirect_uris) && metadata.redirect_uris.length ? ["code"] : [], ...metadata }),
  });
  const client = await answer.json();
  if (answer.status !== 201) throw new Error(`register: ${JSON.stringify(client)}`);
  return client;
}

/**
 * It warns of everything in it that is for development.
 *
 * @template T
 * @param {() => T} make
 * @returns {T}
 */
function quietly(make) {
  const { info, warn } = console;
  Object.assign(console, { info: () => {}, warn: () => {} });
  try {
    return make();
  } finally {
    Object.assign(console, { info, warn });
  }
}
