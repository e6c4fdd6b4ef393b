// @ts-check
// `oidcc-implicit-certification-test-plan`: the same modules for both response types, and four more where there is a token.
import { plan } from "./plan.js";

/** Edgemint has none of these response types. */
const WITHOUT = ["Edgemint"];

const modules = [
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

plan(
  "Implicit",
  [
    { variant: { response_type: "id_token" }, modules },
    {
      variant: { response_type: "id_token token" },
      modules: [...modules, "oidcc-userinfo-get", "oidcc-userinfo-post-header", "oidcc-userinfo-post-body", "oidcc-response-type-missing"],
    },
  ],
  { without: WITHOUT },
);
