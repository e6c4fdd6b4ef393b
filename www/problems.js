// @ts-check
// What went wrong, in words, and what to do next. Codes are those of the RFCs and of the browser module.

/**
 * @typedef {object} Problem
 * @property {string} code
 * @property {string} title
 * @property {string} next
 */

/**
 * An error with a stable code.
 * @param {string} code
 * @param {Partial<import("./api.js").Answer>} [answer]
 */
export function failure(code, answer) {
  return Object.assign(new Error(code), { code, answer });
}

/**
 * An answer that is not what was hoped for, as an error.
 * @param {import("./api.js").Answer} answer
 */
export function refusal(answer) {
  const said = typeof answer.body?.error === "string" ? answer.body.error : answer.challenge;
  if (answer.status === 0) return failure("offline", answer);
  if (answer.status === 429) return failure("slow_down", answer);
  if (answer.status >= 500) return failure("temporarily_unavailable", answer);
  return failure(said ?? "unexpected", answer);
}

/**
 * @param {unknown} error
 * @returns {Problem}
 */
export function explain(error) {
  const { name, code: own = "unexpected", error: theirs, answer } = /** @type {any} */ (error ?? {});
  // The server's own word, where the module only passes it on.
  const code = own === "authorization_refused" && theirs ? theirs : own;
  const known = Object.hasOwn(TEXTS, code) ? TEXTS[code] : name === "EdgemintError" ? TEXTS.unverified : TEXTS.unexpected;
  const wait = answer?.retryAfter ? ` The server asks you to wait ${answer.retryAfter} s.` : "";
  return { code: String(code), title: known[0], next: known[1] + wait };
}

/** @type {Record<string, [title: string, next: string]>} */
const TEXTS = {
  access_denied: ["You said no, so nothing was issued.", "Sign in again whenever you like."],
  login_required: ["There is no session yet.", "Sign in, then try again."],
  consent_required: ["This needs your consent first.", "Sign in again and allow it."],
  interaction_required: ["The server has to ask you something first.", "Sign in again."],
  invalid_request: ["The server did not understand the request.", "Sign in again. If it happens again, look at the activity below for the request."],
  invalid_client: ["The server does not know this demo.", "Its client, edgemint-demo, is made at the first start. Ask the administrator to register it."],
  unauthorized_client: ["This demo may not do that.", "Ask the administrator which grants its client has."],
  invalid_scope: ["The server does not grant what this demo asks for.", "Ask the administrator which scopes its client has."],
  invalid_grant: ["That grant is used up, revoked or expired.", "Sign in again for a new one."],
  invalid_token: ["The server refuses this token: it is expired, revoked or meant for somebody else.", "Refresh it, or sign in again."],
  insufficient_scope: ["This token does not reach that far.", "The call needs a scope that this demo did not ask for."],
  temporarily_unavailable: ["The server cannot answer right now.", "Nothing was lost. Try again in a moment."],
  server_error: ["The server could not finish.", "Try again in a moment."],
  slow_down: ["That was too often.", "Wait a moment, then try again."],
  offline: ["The server cannot be reached.", "Check the connection, then try again."],
  no_module: ["The WebAssembly module did not load.", "If you run this server, build it with npm start; otherwise reload the page."],
  no_issuer: ["The server does not describe itself.", "Reload the page in a moment."],
  foreign_endpoint: ["The server names an endpoint of another origin.", "If you run this server, check its ISSUER setting: it must be the address of this page."],
  no_pending: ["This answer belongs to no sign-in of this tab.", "Sign in again; a sign-in ends in the tab that began it."],
  other_subject: ["The refreshed ID token is for somebody else.", "It was thrown away. Sign in again."],
  state_mismatch: ["This answer belongs to another sign-in.", "It was not used. Sign in again, in this tab."],
  response_issuer_mismatch: ["This answer comes from another server.", "It was not used. Sign in again."],
  response_issuer_missing: ["This answer does not say which server it is from.", "It was not used. Sign in again."],
  expired: ["The ID token has already expired.", "Check the clock of this device, then sign in again."],
  not_yet_valid: ["The ID token is not valid yet.", "Check the clock of this device, then sign in again."],
  pkce_unsupported: ["The server does not offer PKCE with S256.", "This demo does not sign in without it. Tell whoever runs the server."],
  unverified: ["The answer did not pass its check in this tab.", "It was thrown away. Sign in again; if it happens again, tell whoever runs the server."],
  unexpected: ["That did not work.", "Try again. If it happens again, the activity below shows which request failed."],
};
