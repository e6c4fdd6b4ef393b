// @ts-check
/** Without an access token there is no UserInfo, and the ID token is where claims belong. @param {string} warning */
const withUserinfo = (warning) => (/** @type {import("./run.js").Variant} */ { response_type }) => (response_type === "id_token" ? undefined : warning);

/**
 * What a module finds otherwise than that all is well. `tests/README.md` has the same as a table.
 *
 * @typedef {{ fails?: { code: string, message: RegExp }, skipped?: string, warning?: string | ((variant: import("./run.js").Variant) => string | undefined) }} Outcome
 * @type {Record<string, Record<string, Outcome>>}
 */
export const OUTCOMES = {
  Edgemint: {
    "oidcc-discovery-endpoint-verification": { warning: "unknown metadata: edgemint_revocation_max_age_ms" },
    // Registration §2 has RS256 where nothing is said, and lets a server register another value and tell it.
    "oidcc-idtoken-signature": { fails: { code: "ERR_ASSERTION", message: /'ES256'/ } },
    "oidcc-idtoken-unsigned": { skipped: "no unsigned ID tokens are announced, and none can be registered for" },
    "oidcc-userinfo-post-body": { warning: "UserInfo does not take the token in the body" },
    "oidcc-scope-profile": { warning: "not told: middle_name nickname profile picture website gender birthdate zoneinfo locale" },
    "oidcc-scope-email": { warning: withUserinfo("the ID token tells what UserInfo is for") },
    "oidcc-alternate-happy-flow": { warning: withUserinfo("the ID token tells what UserInfo is for") },
    "oidcc-scope-address": { skipped: "address: not announced" },
    "oidcc-scope-phone": { skipped: "phone: not announced" },
    "oidcc-scope-all": { skipped: "address, phone: not announced" },
    "oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported": { skipped: "request_uri_not_supported" },
    "oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported": { skipped: "request_not_supported" },
    "oidcc-claims-essential": { warning: withUserinfo("the ID token has a name that was asked of UserInfo") },
  },
  "oidc-provider": {
    "oidcc-idtoken-unsigned": { skipped: "no unsigned ID tokens are announced, and none can be registered for" },
    "oidcc-ensure-request-with-acr-values-succeeds": { warning: "the ID token has none of the acr values that were asked for" },
    "oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported": { skipped: "request_uri_not_supported" },
    "oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported": { skipped: "request_not_supported" },
  },
};
