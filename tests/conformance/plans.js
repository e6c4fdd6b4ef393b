// @ts-check
/**
 * The official plans: which modules are run for which variants. Each is a test file of its own, so that they run at once.
 *
 * @typedef {import("./plan.js").Entry} Entry
 */

/** `oidcc-config-certification-test-plan`. @type {Entry[]} */
export const CONFIG = [{ variant: { response_type: "code" }, modules: ["oidcc-discovery-endpoint-verification"] }];

/** `oidcc-rp-initiated-logout-certification-test-plan`, in the suite's order. @type {Entry[]} */
export const RP_LOGOUT = [
  {
    variant: { response_type: "code" },
    modules: [
      "oidcc-rp-initiated-logout-discovery-endpoint-verification",
      "oidcc-rp-initiated-logout",
      "oidcc-rp-initiated-logout-no-state",
      "oidcc-rp-initiated-logout-bad-post-logout-redirect-uri",
      "oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri",
      "oidcc-rp-initiated-logout-modified-id-token-hint",
      "oidcc-rp-initiated-logout-bad-id-token-hint",
      "oidcc-rp-initiated-logout-no-id-token-hint",
      "oidcc-rp-initiated-logout-no-params",
      "oidcc-rp-initiated-logout-no-post-logout-redirect-uri",
      "oidcc-rp-initiated-logout-only-state",
    ],
  },
];

/** `oidcc-basic-certification-test-plan`, in the suite's order. @type {Entry[]} */
export const BASIC = [
  {
    variant: { response_type: "code" },
    modules: [
      "oidcc-server",
      "oidcc-response-type-missing",
      "oidcc-idtoken-signature",
      "oidcc-idtoken-unsigned",
      "oidcc-userinfo-get",
      "oidcc-userinfo-post-header",
      "oidcc-userinfo-post-body",
      "oidcc-ensure-request-without-nonce-succeeds-for-code-flow",
      "oidcc-scope-profile",
      "oidcc-scope-email",
      "oidcc-scope-address",
      "oidcc-scope-phone",
      "oidcc-scope-all",
      "oidcc-alternate-happy-flow",
      "oidcc-display-page",
      "oidcc-display-popup",
      "oidcc-prompt-login",
      "oidcc-prompt-none-not-logged-in",
      "oidcc-prompt-none-logged-in",
      "oidcc-max-age-1",
      "oidcc-max-age-10000",
      "oidcc-ensure-request-with-unknown-parameter-succeeds",
      "oidcc-id-token-hint",
      "oidcc-login-hint",
      "oidcc-ui-locales",
      "oidcc-claims-locales",
      "oidcc-ensure-request-with-acr-values-succeeds",
      "oidcc-codereuse",
      "oidcc-codereuse-30seconds",
      "oidcc-ensure-registered-redirect-uri",
      "oidcc-ensure-post-request-succeeds",
      "oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported",
      "oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported",
      "oidcc-claims-essential",
      "oidcc-ensure-request-object-with-redirect-uri",
      "oidcc-refresh-token",
      "oidcc-ensure-request-with-valid-pkce-succeeds",
    ],
  },
  { variant: { response_type: "code", client_auth: "client_secret_post" }, modules: ["oidcc-server-client-secret-post"] },
];

const WITHOUT_CODE = [
  "oidcc-server",
  "oidcc-idtoken-signature",
  "oidcc-ensure-request-without-nonce-fails",
  "oidcc-scope-profile",
  "oidcc-scope-email",
  "oidcc-scope-address",
  "oidcc-scope-phone",
  "oidcc-scope-all",
  "oidcc-alternate-happy-flow",
  "oidcc-display-page",
  "oidcc-display-popup",
  "oidcc-prompt-login",
  "oidcc-prompt-none-not-logged-in",
  "oidcc-prompt-none-logged-in",
  "oidcc-max-age-1",
  "oidcc-max-age-10000",
  "oidcc-ensure-request-with-unknown-parameter-succeeds",
  "oidcc-id-token-hint",
  "oidcc-login-hint",
  "oidcc-ui-locales",
  "oidcc-claims-locales",
  "oidcc-ensure-request-with-acr-values-succeeds",
  "oidcc-ensure-registered-redirect-uri",
  "oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported",
  "oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported",
  "oidcc-ensure-request-object-with-redirect-uri",
  "oidcc-claims-essential",
];

/** `oidcc-implicit-certification-test-plan`: the same modules for both, and four more where there is a token. @type {Entry[]} */
export const IMPLICIT = [
  { variant: { response_type: "id_token" }, modules: WITHOUT_CODE },
  {
    variant: { response_type: "id_token token" },
    modules: [...WITHOUT_CODE, "oidcc-userinfo-get", "oidcc-userinfo-post-header", "oidcc-userinfo-post-body", "oidcc-response-type-missing"],
  },
];

const WITH_CODE = [
  "oidcc-server",
  "oidcc-idtoken-signature",
  "oidcc-userinfo-get",
  "oidcc-userinfo-post-header",
  "oidcc-userinfo-post-body",
  "oidcc-scope-profile",
  "oidcc-scope-email",
  "oidcc-scope-address",
  "oidcc-scope-phone",
  "oidcc-scope-all",
  "oidcc-display-page",
  "oidcc-display-popup",
  "oidcc-prompt-login",
  "oidcc-prompt-none-not-logged-in",
  "oidcc-prompt-none-logged-in",
  "oidcc-max-age-1",
  "oidcc-max-age-10000",
  "oidcc-ensure-request-with-unknown-parameter-succeeds",
  "oidcc-id-token-hint",
  "oidcc-login-hint",
  "oidcc-ui-locales",
  "oidcc-claims-locales",
  "oidcc-ensure-request-with-acr-values-succeeds",
  "oidcc-codereuse",
  "oidcc-codereuse-30seconds",
  "oidcc-ensure-registered-redirect-uri",
  "oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported",
  "oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported",
  "oidcc-claims-essential",
  "oidcc-ensure-request-object-with-redirect-uri",
  "oidcc-refresh-token",
];
const WITH_NONCE = "oidcc-ensure-request-without-nonce-fails";
const ONCE = ["oidcc-response-type-missing", "oidcc-alternate-happy-flow", "oidcc-ensure-request-with-valid-pkce-succeeds"];

/** @param {string} response_type @param {string[]} more @returns {Entry[]} */
const hybrid = (response_type, more) => [
  { variant: { response_type }, modules: [...WITH_CODE, ...more] },
  { variant: { response_type, client_auth: "client_secret_post" }, modules: ["oidcc-server-client-secret-post"] },
];

/** `oidcc-hybrid-certification-test-plan`: its table is gone through once for each response type. @type {Entry[]} */
export const HYBRID = [
  ...hybrid("code id_token", [WITH_NONCE, ...ONCE]),
  ...hybrid("code token", ["oidcc-ensure-request-without-nonce-succeeds-for-code-flow"]),
  ...hybrid("code id_token token", [WITH_NONCE]),
];

/** A plan by `response_mode=form_post`, which is all that the suite changes. @param {Entry[]} entries @returns {Entry[]} */
export const byFormPost = (entries) => entries.map(({ variant, modules }) => ({ variant: { ...variant, response_mode: "form_post" }, modules }));
