// @ts-check
/** `@cloudflare/workers-oauth-provider` as its documentation shows it: one Worker with an API behind it. */
import { OAuthProvider } from "../../node_modules/@cloudflare/workers-oauth-provider/dist/oauth-provider.js";

/** What requests say in `Host`; where it listens is another matter. */
const ORIGIN = "http://127.0.0.1:8788";

const provider = new OAuthProvider({
  apiRoute: "/api",
  apiHandler: {
    /**
     * @param {Request} _request
     * @param {any} _env
     * @param {any} ctx
     */
    fetch: (_request, _env, ctx) => Response.json({ active: true, ...ctx.props, scope: ctx.auth.scope }),
  },
  defaultHandler: {
    /**
     * Everybody agrees, at once.
     *
     * @param {Request} request
     * @param {any} env
     */
    async fetch(request, env) {
      const asked = await env.OAUTH_PROVIDER.parseAuthRequest(request);
      const userId = new URL(request.url).searchParams.get("person");
      const props = { sub: userId, username: userId, client_id: asked.clientId };
      const { redirectTo } = await env.OAUTH_PROVIDER.completeAuthorization({ request: asked, userId, metadata: {}, scope: asked.scope, props });
      return Response.redirect(redirectTo, 302);
    },
  },
  authorizeEndpoint: "/authorize",
  tokenEndpoint: "/oauth/token",
  clientRegistrationEndpoint: "/register",
  scopesSupported: ["openid", "offline_access"],
  resourceMetadata: { resource: `${ORIGIN}/api`, authorization_servers: [ORIGIN] },
});

/** @type {Record<string, number>} */
let counts = {};

export default {
  /**
   * With `COUNTS` it counts what it asks of KV; `GET /counted` tells, and begins anew.
   *
   * @param {Request} request
   * @param {any} env
   * @param {ExecutionContext} ctx
   */
  fetch(request, env, ctx) {
    if (!env.COUNTS) return provider.fetch(request, env, ctx);
    if (new URL(request.url).pathname === "/counted") {
      const told = counts;
      counts = {};
      return Response.json(told);
    }
    const OAUTH_KV = new Proxy(env.OAUTH_KV, {
      get: (kv, operation) => (/** @type {unknown[]} */ ...values) => {
        const name = `KV ${String(operation)}`;
        counts[name] = (counts[name] ?? 0) + 1;
        return kv[operation](...values);
      },
    });
    return provider.fetch(request, { ...env, OAUTH_KV }, ctx);
  },
};
