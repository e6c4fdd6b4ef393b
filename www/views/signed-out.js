// @ts-check
// Before signing in: what this is, one button, and what the server says of itself right now.

import { fill, h } from "../dom.js";
import { revocationBound } from "../oidc.js";
import { emblem } from "./coin.js";
import { log, milliseconds } from "./log.js";
import { notice } from "./notice.js";

/**
 * @param {import("../app.js").Actions} actions
 * @returns {import("../app.js").View}
 */
export function signedOut(actions) {
  const said = notice(actions);
  const activity = log();
  const button = h("button", { type: "button", class: "primary large", click: actions.signIn }, "Sign in");
  const facts = h("dl", { class: "facts" });
  const node = h(
    "div",
    { class: "welcome" },
    said.node,
    h(
      "section",
      { class: "hero", "aria-labelledby": "hero" },
      h(
        "div",
        {},
        h("h1", { id: "hero" }, "Tokens, minted where your users are."),
        h("p", { class: "lede" }, "Edgemint issues, checks and revokes OAuth 2.1 and OpenID Connect tokens at the network edge. This page is one of its clients: sign in, and watch every step."),
        h("p", { class: "start" }, button, h("a", { class: "quiet", href: "/.well-known/openid-configuration" }, "See its metadata")),
      ),
      emblem(),
    ),
    h("section", { class: "strip", "aria-label": "What the server says of itself" }, facts),
    h(
      "section",
      { class: "steps", "aria-labelledby": "steps" },
      h("h2", { id: "steps" }, "What happens when you sign in"),
      h(
        "ol",
        {},
        step("A secret is made", "WebAssembly in this tab makes a one-time verifier and shows the server only its hash."),
        step("You prove who you are", "On the server’s own page, which needs no script. This page never sees a password."),
        step("A code becomes tokens", "The code works once, for sixty seconds, with the verifier that only this tab has."),
        step("The proof is checked here", "The core that minted the ID token, compiled for the browser, verifies it."),
      ),
    ),
    activity.node,
  );
  return {
    node,
    update(state) {
      said.update(state);
      activity.update(state);
      button.disabled = state.busy !== undefined;
      button.textContent = state.busy === "signIn" ? "On the way…" : "Sign in";
      fill(facts, ...known(state).flatMap(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
    },
  };
}

/**
 * @param {import("../app.js").State} state
 * @returns {[string, string][]}
 */
function known({ metadata, metadataMs }) {
  if (metadata === undefined) return NAMES.map((name) => [name, "…"]);
  const bound = revocationBound(metadata);
  const values = [
    metadata.issuer.replace(/^https?:\/\//, ""),
    metadata.id_token_signing_alg_values_supported?.join(", ") ?? "not said",
    metadata.code_challenge_methods_supported?.join(", ") ?? "not said",
    bound === undefined ? "not said" : `${bound} s`,
    milliseconds(metadataMs ?? 0),
  ];
  return NAMES.map((name, index) => [name, values[index]]);
}

/**
 * @param {string} title
 * @param {string} text
 */
function step(title, text) {
  return h("li", {}, h("h3", {}, title), h("p", {}, text));
}

const NAMES = ["Issuer", "Signs with", "PKCE", "Revoked everywhere in", "Answered in"];
