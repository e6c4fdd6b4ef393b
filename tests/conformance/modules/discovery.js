// @ts-check
// OpenID Connect Discovery §3 and §4, RFC 8414 §2.
import assert from "node:assert/strict";
import { importJWK } from "jose";

const RESPONSE_TYPES = ["code", "code id_token", "id_token", "id_token token", "code id_token token", "code token"];
const PRIVATE = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
/** What OpenID Connect, its extensions and RFCs 8414, 8628, 8705, 9101, 9126, 9207, 9396, 9449 and 9701 name. */
const KNOWN = `
  issuer authorization_endpoint token_endpoint userinfo_endpoint jwks_uri registration_endpoint revocation_endpoint introspection_endpoint
  end_session_endpoint check_session_iframe device_authorization_endpoint pushed_authorization_request_endpoint
  backchannel_authentication_endpoint mtls_endpoint_aliases service_documentation op_policy_uri op_tos_uri signed_metadata
  scopes_supported response_types_supported response_modes_supported grant_types_supported acr_values_supported subject_types_supported
  display_values_supported claim_types_supported claims_supported claims_locales_supported ui_locales_supported prompt_values_supported
  id_token_signing_alg_values_supported userinfo_signing_alg_values_supported request_object_signing_alg_values_supported
  introspection_signing_alg_values_supported authorization_signing_alg_values_supported dpop_signing_alg_values_supported
  token_endpoint_auth_methods_supported revocation_endpoint_auth_methods_supported introspection_endpoint_auth_methods_supported
  token_endpoint_auth_signing_alg_values_supported revocation_endpoint_auth_signing_alg_values_supported
  introspection_endpoint_auth_signing_alg_values_supported code_challenge_methods_supported authorization_details_types_supported
  claims_parameter_supported request_parameter_supported request_uri_parameter_supported require_request_uri_registration
  require_signed_request_object require_pushed_authorization_requests authorization_response_iss_parameter_supported
  frontchannel_logout_supported frontchannel_logout_session_supported backchannel_logout_supported backchannel_logout_session_supported
  tls_client_certificate_bound_access_tokens client_id_metadata_document_supported
`
  .trim()
  .split(/\s+/);

/** @typedef {import("../run.js").Run} Run @type {Record<string, (run: Run) => Promise<void>>} */
export const discovery = {
  async "oidcc-discovery-endpoint-verification"(run) {
    const announced = await run.op.announced();
    try {
      const answer = await announced.get("/.well-known/openid-configuration");
      assert.equal(answer.status, 200);
      assert.match(answer.headers.get("content-type") ?? "", /^application\/json/);
      const document = /** @type {any} */ (await answer.json());
      assert.equal(document.issuer.replace(/\/$/, ""), announced.issuer);
      assert.deepEqual([new URL(document.issuer).search, new URL(document.issuer).hash], ["", ""]);
      endpoints(run, document);
      values(run, document);
      await keys(await announced.get(document.jwks_uri));
      const unknown = Object.keys(document).filter((name) => !KNOWN.includes(name));
      run.warn(unknown.length === 0, `unknown metadata: ${unknown.join(" ")}`);
    } finally {
      await announced.stop();
    }
  },
};

/** Each is there that has to be, and each that is there is https. @param {Run} run @param {Record<string, any>} document */
function endpoints(run, document) {
  for (const name of ["authorization_endpoint", "token_endpoint", "jwks_uri"]) assert.ok(name in document, name);
  run.warn("userinfo_endpoint" in document, "UserInfo is recommended");
  for (const [name, url] of Object.entries(document)) {
    if (name === "jwks_uri" || name.endsWith("_endpoint")) assert.equal(new URL(url).protocol, "https:", name);
  }
}

/** @param {Run} run @param {Record<string, any>} document */
function values(run, document) {
  for (const [name, value] of Object.entries(document)) {
    if (name.endsWith("_supported") && typeof value !== "boolean") {
      assert.ok(Array.isArray(value) && value.every((each) => typeof each === "string"), name);
    }
  }
  const some = (/** @type {string} */ name, /** @type {string[]} */ of) =>
    assert.ok(
      of.some((each) => document[name].includes(each)),
      name,
    );
  some("response_types_supported", RESPONSE_TYPES);
  some("subject_types_supported", ["public", "pairwise"]);
  some("id_token_signing_alg_values_supported", ["RS256"]);
  if (document.userinfo_signing_alg_values_supported) assert.notEqual(document.userinfo_signing_alg_values_supported.length, 0);
  if (document.grant_types_supported) assert.notEqual(document.grant_types_supported.length, 0);
  if (document.code_challenge_methods_supported?.length > 0) some("code_challenge_methods_supported", ["S256", "plain"]);
  run.warn(document.request_object_signing_alg_values_supported?.includes("RS256") ?? true, "request objects are not signed with RS256");
  run.warn("claims_supported" in document, "claims_supported is recommended");
  run.warn("scopes_supported" in document, "scopes_supported is recommended");
  if (document.scopes_supported) {
    some("scopes_supported", ["openid"]);
    for (const scope of document.scopes_supported) assert.match(scope, /^[\x21\x23-\x5b\x5d-\x7e]+$/);
  }
  for (const name of ["ui_locales_supported", "claims_locales_supported"]) {
    for (const locale of document[name] ?? []) run.warn(Intl.getCanonicalLocales(locale)[0] === locale, `${name}: ${locale}`);
  }
}

/** Public keys and nothing else, each with a name of its own. @param {Response} answer */
async function keys(answer) {
  assert.equal(answer.status, 200);
  const { keys: found } = /** @type {any} */ (await answer.json());
  assert.ok(found.length > 0);
  for (const key of found) {
    assert.deepEqual(
      PRIVATE.filter((part) => part in key),
      [],
    );
    for (const part of ["n", "e", "x", "y"]) assert.match(key[part] ?? "A", /^[\w-]+$/);
    await importJWK(key, key.alg);
  }
  assert.equal(new Set(found.map((/** @type {any} */ { kid }) => kid)).size, found.length);
}
