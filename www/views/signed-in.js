// @ts-check
// After signing in: who, with which token, and what it can be used for.

import { h } from "../dom.js";
import { answer } from "./answer.js";
import { claims } from "./claims.js";
import { log } from "./log.js";
import { notice } from "./notice.js";
import { token } from "./token.js";

/**
 * @param {import("../app.js").Actions} actions
 * @returns {import("../app.js").View}
 */
export function signedIn(actions) {
  const [said, access, answered, identity, activity] = [notice(actions, true), token(actions), answer(), claims(), log()];
  const who = h("bdi", {});
  const node = h(
    "div",
    { class: "desk" },
    h(
      "div",
      { class: "greeting" },
      h("div", {}, h("h1", {}, "Hello, ", who), h("p", { class: "lede" }, "Tokens live in this tab’s memory. Reload, and they are gone; your session at the issuer is not.")),
      h("button", { type: "button", click: actions.signOut }, "Sign out"),
    ),
    said.node,
    h("div", { class: "column" }, access.node, answered.node),
    h("div", { class: "column" }, identity.node, activity.node),
  );
  return {
    node,
    update(state) {
      const known = state.verified?.claims ?? {};
      who.textContent = known.name || known.preferred_username || known.sub || "you";
      for (const view of [said, access, answered, identity, activity]) view.update(state);
    },
  };
}
