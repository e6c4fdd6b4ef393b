// @ts-check
// The last answer, with a sentence on what it means.

import { fill, h } from "../dom.js";

/** @returns {import("../app.js").View} */
export function answer() {
  const body = h("div", { class: "body" }, h("p", { class: "under" }, "Press a button above, and the server’s answer appears here."));
  const title = h("h2", { id: "answer" }, "Answer");
  const status = h("p", { class: "seal" });
  const node = h("section", { class: "card answer", "aria-labelledby": "answer", "aria-live": "polite" }, h("div", { class: "head" }, title, status), body);
  /** @type {unknown} */
  let shown;
  return {
    node,
    update(state) {
      if (state.shown === undefined || state.shown === shown) return;
      shown = state.shown;
      const { answer, remark } = state.shown;
      title.textContent = state.shown.title;
      const kind = answer.status >= 200 && answer.status < 300 ? "fine" : "refused";
      fill(status, h("span", { class: `status ${kind}` }, answer.status || "lost"), ` ${answer.method} ${answer.path}`);
      fill(
        body,
        h("p", { class: "remark" }, remark),
        answer.body !== undefined && answer.body !== "" && h("pre", { tabindex: "0", "aria-label": "Body of the answer" }, printed(answer.body)),
        answer.requestId && h("p", { class: "under" }, "Request ", h("code", {}, answer.requestId)),
      );
    },
  };
}

/** @param {unknown} body */
function printed(body) {
  if (typeof body === "string") return body.slice(0, 4000);
  return JSON.stringify(body, (key, value) => (SECRET.has(key) && typeof value === "string" ? `${value.slice(0, 12)}…` : value), 2);
}

/** What a screenshot must not give away. */
const SECRET = new Set(["access_token", "refresh_token", "id_token"]);
