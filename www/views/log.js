// @ts-check
// Every request this page made: method, path, status and time. Never a token.

import { fill, h } from "../dom.js";

/** @returns {import("../app.js").View} */
export function log() {
  const list = h("ol", { class: "log", role: "log", "aria-label": "Requests, newest first", tabindex: "0" });
  const node = h("section", { class: "activity", "aria-labelledby": "activity" }, h("h2", { id: "activity" }, "Activity"), list);
  /** @type {unknown} */
  let shown;
  return {
    node,
    update(state) {
      if (state.log === shown) return;
      shown = state.log;
      fill(list, ...state.log.map(line));
    },
  };
}

/** @param {import("../api.js").Answer} answer */
function line({ method, path, status, ms }) {
  const kind = status === 0 || status >= 500 ? "broken" : status >= 400 ? "refused" : "fine";
  return h(
    "li",
    {},
    h("span", { class: "method" }, method),
    h("span", { class: "path", title: path }, path),
    h("span", { class: `status ${kind}` }, status || "lost"),
    h("span", { class: "ms" }, milliseconds(ms)),
  );
}

/** @param {number} ms */
export function milliseconds(ms) {
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}
