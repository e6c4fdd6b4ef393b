// @ts-check
// OpenID Connect for a public client: code flow with PKCE. RFC 9700, OAuth 2.0 for Browser-Based Applications.
// PKCE, answers and ID tokens are the business of the same Rust core that issued them, in /pkg.

import { pathOf } from "./api.js";
import { failure, refusal } from "./problems.js";

/**
 * @typedef {import("./api.js").Answer} Answer
 * @typedef {import("./api.js").Request} Request
 * @typedef {Record<string, any>} Metadata
 * @typedef {{ state: string, nonce: string, verifier: string }} Pending
 *
 * @typedef {object} Tokens held in memory, never stored
 * @property {string} access
 * @property {string} [refresh]
 * @property {string} [id]
 * @property {string} scope
 * @property {number} lifetime seconds
 * @property {number} receivedAt on the clock of performance.now()
 *
 * @typedef {{ claims: Record<string, any>, ms: number }} Verified
 */

/** Fetches and starts the module; once is enough. */
export async function loadModule() {
  if (core !== undefined) return;
  try {
    const module = await import("./pkg/index.js");
    // It starts with its first call; whether it can is to be known before anybody signs in.
    await module.pkcePair();
    core = module;
  } catch {
    throw failure("no_module");
  }
}

/** @returns {Request} */
export function metadataRequest() {
  return { method: "GET", path: "/.well-known/openid-configuration" };
}

/**
 * RFC 8414 §3.3: metadata counts only for the issuer that it was asked of.
 * @param {Answer} answer
 * @returns {Metadata}
 */
export function processMetadataResponse(answer) {
  if (answer.status !== 200 || typeof answer.body?.issuer !== "string") {
    throw answer.status === 200 ? failure("no_issuer", answer) : refusal(answer);
  }
  if (new URL(answer.body.issuer).origin !== location.origin) throw failure("foreign_endpoint", answer);
  return answer.body;
}

/**
 * Where to send the browser. What proves the answer is ours is kept for this tab and this redirect only.
 * @param {Metadata} metadata
 * @returns {Promise<string>}
 */
export async function authorizationRequest(metadata) {
  const { url, state, nonce, verifier } = await core.authorizationRequest({
    metadata,
    client_id: CLIENT_ID,
    redirect_uri: REDIRECT_URI,
    scope: SCOPE,
  });
  sessionStorage.setItem(PENDING, JSON.stringify({ state, nonce, verifier }));
  return url;
}

/**
 * Takes what was kept; a second answer finds nothing.
 * @returns {Pending}
 */
export function takePending() {
  const kept = sessionStorage.getItem(PENDING);
  sessionStorage.removeItem(PENDING);
  if (kept === null) throw failure("no_pending");
  return JSON.parse(kept);
}

/**
 * @param {string} url the callback, with code or error, state and iss (RFC 9207)
 * @param {Metadata} metadata
 * @param {Pending} pending
 * @returns {Promise<string>} the code
 */
export function processAuthorizationResponse(url, metadata, pending) {
  return core.authorizationResponse(url, {
    issuer: metadata.issuer,
    state: pending.state,
    iss_required: metadata.authorization_response_iss_parameter_supported === true,
  });
}

/**
 * @param {Metadata} metadata
 * @param {string} code
 * @param {Pending} pending
 * @returns {Request}
 */
export function codeRequest(metadata, code, pending) {
  return post(metadata.token_endpoint, {
    grant_type: "authorization_code",
    code,
    redirect_uri: REDIRECT_URI,
    code_verifier: pending.verifier,
  });
}

/**
 * @param {Metadata} metadata
 * @param {string} refresh
 * @returns {Request}
 */
export function refreshRequest(metadata, refresh) {
  return post(metadata.token_endpoint, { grant_type: "refresh_token", refresh_token: refresh });
}

/**
 * @param {Answer} answer
 * @param {Tokens} [before] what a refresh started from; what is not renewed stays
 * @returns {Tokens}
 */
export function processTokenResponse(answer, before) {
  const { body } = answer;
  if (answer.status !== 200) throw refusal(answer);
  if (typeof body?.access_token !== "string" || String(body.token_type).toLowerCase() !== "bearer") {
    throw failure("unexpected", answer);
  }
  return {
    access: body.access_token,
    refresh: body.refresh_token ?? before?.refresh,
    id: body.id_token ?? before?.id,
    scope: body.scope ?? before?.scope ?? SCOPE,
    lifetime: Number(body.expires_in) || 0,
    receivedAt: performance.now(),
  };
}

/**
 * Checks an ID token here, with the published keys, and says how long that took.
 *
 * A refreshed one need not repeat the nonce, and `at_hash` is optional in the code flow; where they
 * are present they must be right. OpenID Connect Core §3.1.3.6, §12.2.
 * @param {string} token
 * @param {unknown} jwks
 * @param {Metadata} metadata
 * @param {{ access: string, nonce: string, refreshed: boolean }} beside
 * @returns {Promise<Verified>}
 */
export async function verifyIdToken(token, jwks, metadata, { access, nonce, refreshed }) {
  const started = performance.now();
  const { claims: said } = await core.decodeUnverified(token);
  const claims = await core.verifyIdToken(token, jwks, {
    issuer: metadata.issuer,
    client_id: CLIENT_ID,
    ...(refreshed && said.nonce === undefined ? {} : { nonce }),
    ...(said.at_hash === undefined ? {} : { access_token: access }),
  });
  return { claims, ms: performance.now() - started };
}

/**
 * @param {Metadata} metadata
 * @returns {Request}
 */
export function keysRequest(metadata) {
  return { method: "GET", path: pathOf(metadata.jwks_uri) };
}

/**
 * @param {Metadata} metadata
 * @param {string} bearer
 * @returns {Request}
 */
export function userinfoRequest(metadata, bearer) {
  return { method: "GET", path: pathOf(metadata.userinfo_endpoint), bearer };
}

/**
 * A public client has no secret to ask with, so it asks with the token itself (RFC 7662 §2.1).
 * @param {Metadata} metadata
 * @param {string} token
 * @returns {Request}
 */
export function introspectionRequest(metadata, token) {
  return { method: "POST", path: pathOf(metadata.introspection_endpoint), form: { token }, bearer: token };
}

/**
 * @param {Metadata} metadata
 * @param {string} token
 * @param {"access_token" | "refresh_token"} hint
 * @returns {Request}
 */
export function revocationRequest(metadata, token, hint) {
  return post(metadata.revocation_endpoint, { token, token_type_hint: hint });
}

/**
 * Where signing out begins. OpenID Connect RP-Initiated Logout §2.
 * @param {Metadata} metadata
 * @param {string} [idToken]
 */
export function logoutUrl(metadata, idToken) {
  const path = metadata.end_session_endpoint ? pathOf(metadata.end_session_endpoint) : "/logout";
  const query = new URLSearchParams({ client_id: CLIENT_ID, post_logout_redirect_uri: `${location.origin}/`, state: SIGNED_OUT });
  if (idToken !== undefined) query.set("id_token_hint", idToken);
  return `${path}?${query}`;
}

/**
 * Seconds until an acknowledged revocation is refused everywhere, when the server publishes it.
 * @param {Metadata} metadata
 * @returns {number | undefined}
 */
export function revocationBound(metadata) {
  const bound = metadata.edgemint_revocation_max_age_ms;
  return bound === undefined ? undefined : bound / 1000;
}

/**
 * @param {string} endpoint
 * @param {Record<string, string>} form
 * @returns {Request}
 */
function post(endpoint, form) {
  return { method: "POST", path: pathOf(endpoint), form: { client_id: CLIENT_ID, ...form } };
}

/** @type {any} */
let core;

/** What `state` is on the way back from signing out; it says something, it proves nothing. */
export const SIGNED_OUT = "signed-out";

/** Registered by the server at its first start. */
const CLIENT_ID = "edgemint-demo";
const REDIRECT_URI = `${location.origin}/callback`;
const SCOPE = "openid profile offline_access demo:read";
const PENDING = "edgemint.pending";
