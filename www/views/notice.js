// @ts-check
// What went wrong or well, with the next step.

import { fill, h } from "../dom.js";

/**
 * @param {import("../app.js").Actions} actions
 * @param {boolean} [offers] a way to sign in again, where the view has none of its own
 * @returns {import("../app.js").View}
 */
export function notice(actions, offers = false) {
  const node = h("div", { class: "notices" });
  /** @type {unknown} */
  let shown;
  return {
    node,
    update({ problem, note }) {
      const now = problem ?? note;
      if (now === shown) return;
      shown = now;
      const close = h("button", { type: "button", class: "close", "aria-label": "Dismiss", click: actions.dismiss }, "×");
      fill(
        node,
        problem &&
          h(
            "div",
            { class: "note bad", role: "alert" },
            h("p", {}, h("strong", {}, problem.title), " ", problem.next, " ", h("code", {}, problem.code)),
            offers && problem.next.startsWith("Sign in again") && h("button", { type: "button", class: "again", click: actions.signIn }, "Sign in again"),
            close,
          ),
        !problem && note && h("div", { class: "note", role: "status" }, h("p", {}, note), close),
      );
    },
  };
}
