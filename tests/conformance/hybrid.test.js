// @ts-check
// `oidcc-hybrid-certification-test-plan`: its table is gone through once for each response type.
import { plan } from "./plan.js";

/** Edgemint has none of these response types. */
const WITHOUT = ["Edgemint"];

const modules = [
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

/** @param {string} response_type @param {string[]} more @returns {import("./plan.js").Entry[]} */
const run = (response_type, more) => [
  { variant: { response_type }, modules: [...modules, ...more] },
  { variant: { response_type, client_auth: "client_secret_post" }, modules: ["oidcc-server-client-secret-post"] },
];

plan(
  "Hybrid",
  [
    ...run("code id_token", [WITH_NONCE, ...ONCE]),
    ...run("code token", ["oidcc-ensure-request-without-nonce-succeeds-for-code-flow"]),
    ...run("code id_token token", [WITH_NONCE]),
  ],
  { without: WITHOUT },
);
