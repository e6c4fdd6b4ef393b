// @ts-check
/**
 * The one table of paths: method → the core's word for the endpoint, or the name of one of the shim's own
 * documents. `cors` is for what a page of another origin may call; nothing there looks at a cookie. Below
 * `/*` the core looks at the path itself; `{username}` and `{slug}` are any one part of it. What is `hidden` is there for
 * proxies alone, and for everybody else nothing is at its path, whatever the method. `management` is answered by the module
 * that the Durable Objects decide by.
 *
 * @typedef {{ cors?: boolean, hidden?: boolean, management?: boolean, methods: Record<string, string> }} Route
 */

/** @type {Record<string, Route>} */
export const routes = {
  "/.well-known/openid-configuration": { cors: true, methods: { GET: "openid_configuration" } },
  "/.well-known/oauth-authorization-server": { cors: true, methods: { GET: "authorization_server" } },
  "/.well-known/jwks.json": { cors: true, methods: { GET: "jwks" } },
  "/.well-known/oauth-protected-resource": { cors: true, methods: { GET: "protected_resource" } },
  "/.well-known/oauth-protected-resource/api/v1": { cors: true, methods: { GET: "protected_resource" } },
  "/application/o/*": { cors: true, methods: { GET: "application" } },
  "/oauth/authorize": { methods: { GET: "authorize", POST: "authorize" } },
  "/oauth/form-post.js": { methods: { GET: "form_post_script" } },
  "/oauth/token": { cors: true, methods: { POST: "token" } },
  "/oauth/device_authorization": { cors: true, methods: { POST: "device_authorization" } },
  "/oauth/introspect": { cors: true, methods: { POST: "introspect" } },
  "/oauth/check_token": { cors: true, methods: { POST: "check_token" } },
  "/oauth/revoke": { cors: true, methods: { POST: "revoke" } },
  "/oauth/userinfo": { cors: true, methods: { GET: "userinfo", POST: "userinfo" } },
  "/oauth/logout": { methods: { GET: "logout", POST: "logout" } },
  "/application/o/{slug}/end-session/": { methods: { GET: "logout", POST: "logout" } },
  "/oauth/register": { cors: true, methods: { POST: "register" } },
  "/login": { methods: { GET: "login", POST: "login" } },
  "/consent": { methods: { GET: "consent", POST: "consent" } },
  "/device": { methods: { GET: "device", POST: "device" } },
  "/logout": { methods: { GET: "logout", POST: "logout" } },
  "/api/docs": { methods: { GET: "docs" } },
  "/api/v1/openapi.json": { cors: true, methods: { GET: "openapi" } },
  "/api/v1/first-run": { management: true, methods: { POST: "first_run" } },
  "/api/v1/keys/rotate": { management: true, methods: { POST: "rotate_keys" } },
  "/api/v1/export": { management: true, methods: { GET: "export" } },
  "/api/v1/import": { management: true, methods: { POST: "import" } },
  "/api/v1/epoch": { management: true, methods: { POST: "epoch" } },
  "/api/v1/quota-overrides": { management: true, methods: { GET: "quota_overrides", PUT: "quota_overrides", DELETE: "quota_overrides" } },
  "/api/v1/revocations": { management: true, methods: { GET: "revocations" } },
  "/api/v1/resource-keys": { management: true, methods: { POST: "resource_keys" } },
  "/api/v1/login": { management: true, methods: { GET: "users" } },
  "/api/v1/token-info": { management: true, methods: { GET: "tokens" } },
  "/api/v1/user-info": { management: true, methods: { GET: "tokens" } },
  "/api/v1/tokens": { management: true, methods: { POST: "tokens" } },
  "/api/v1/history/token-changes": { management: true, methods: { GET: "tokens" } },
  "/api/v1/users/{username}/token*": { management: true, methods: { GET: "tokens", POST: "tokens", PATCH: "tokens", DELETE: "tokens" } },
  "/api/v1/users/{username}/*": { management: true, methods: { GET: "users", PUT: "users", DELETE: "users" } },
  "/api/v1/*": { management: true, methods: { GET: "records", POST: "records", PUT: "records", PATCH: "records", DELETE: "records" } },
  "/ingress/auth": { hidden: true, methods: { GET: "ingress_auth" } },
  "/ingress/anonymous": { hidden: true, methods: { GET: "ingress_anonymous" } },
  "/health": { methods: { GET: "health" } },
  "/ready": { methods: { GET: "ready" } },
};

/**
 * The table as it is asked: a look into a map costs the same whatever is asked, one into an object only where few names are.
 *
 * @typedef {Omit<Route, "methods"> & { methods: Map<string, string> }} Asked
 * @type {Map<string, Asked>}
 */
const table = new Map(Object.entries(routes).map(([path, found]) => [path, { ...found, methods: new Map(Object.entries(found.methods)) }]));

/** Documents that RFC 8414 §3.1 and RFC 9728 §3.1 want before the issuer's path. */
const WELL_KNOWN = "/.well-known/";

/** The management API. */
const API = "/api/v1/";
/** Issuers of applications. */
const APPLICATIONS = "/application/o/";
/** Where an application that is an issuer ends sessions. */
const END_SESSION = /^\/application\/o\/[^/]+\/end-session\/$/;
/** What is a person's own there; everything else below `users/` is of the records. */
const OF_TOKENS = /^\/api\/v1\/users\/[^/]+\/(tokens|token-change-history)(\/|$)/;
const OF_USER = /^\/api\/v1\/users\/[^/]+\/(sessions|grants|consents|password)(\/|$)/;

/**
 * The route of a path under an issuer whose own path is `base` (empty for most).
 *
 * @param {string} path
 * @param {string} base
 * @returns {Asked | undefined}
 */
export function route(path, base) {
  if (base !== "") {
    if (path.startsWith(`${base}/`)) {
      path = path.slice(base.length);
    } else if (path.startsWith(WELL_KNOWN) && path.endsWith(base)) {
      path = path.slice(0, -base.length);
    } else {
      return undefined;
    }
  }
  const found = table.get(path);
  if (found !== undefined) {
    return found;
  }
  if (OF_TOKENS.test(path)) {
    return table.get(`${API}users/{username}/token*`);
  }
  if (OF_USER.test(path)) {
    return table.get(`${API}users/{username}/*`);
  }
  if (END_SESSION.test(path)) {
    return table.get(`${APPLICATIONS}{slug}/end-session/`);
  }
  const below = [API, APPLICATIONS].find((prefix) => path.startsWith(prefix));
  return below === undefined ? undefined : table.get(`${below}*`);
}
