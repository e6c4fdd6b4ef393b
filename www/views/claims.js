// @ts-check
// The ID token: who signed in, as verified in this tab.

import { fill, h } from "../dom.js";
import { milliseconds } from "./log.js";

/** @returns {import("../app.js").View} */
export function claims() {
  const seal = h("p", { class: "seal" });
  const list = h("dl", { class: "claims" });
  const node = h("section", { class: "card", "aria-labelledby": "claims" }, h("div", { class: "head" }, h("h2", { id: "claims" }, "ID token"), seal), list);
  /** @type {unknown} */
  let shown;
  return {
    node,
    update({ verified }) {
      if (verified === undefined || verified === shown) return;
      shown = verified;
      fill(seal, h("span", { "aria-hidden": "true" }, "✓ "), `Verified in this tab in ${milliseconds(verified.ms)}`);
      const rows = Object.entries(verified.claims).map(([name, value]) =>
        h("div", {}, h("dt", {}, h("code", {}, name), MEANINGS[name] && h("span", {}, MEANINGS[name])), h("dd", {}, written(name, value))),
      );
      fill(list, ...rows);
    },
  };
}

/**
 * @param {string} name
 * @param {unknown} value
 */
function written(name, value) {
  if (TIMES.has(name) && typeof value === "number") {
    const at = new Date(value * 1000);
    return h("time", { datetime: at.toISOString(), title: String(value) }, at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" }));
  }
  return typeof value === "string" ? value : JSON.stringify(value);
}

const TIMES = new Set(["exp", "iat", "nbf", "auth_time", "updated_at"]);

/** @type {Record<string, string>} */
const MEANINGS = {
  iss: "who says so",
  sub: "who you are, to this client",
  aud: "for whom",
  exp: "until",
  iat: "since",
  auth_time: "password checked",
  nonce: "ties it to this tab",
  at_hash: "ties it to the access token",
  sid: "the session",
  acr: "how strongly",
  amr: "by which means",
  name: "display name",
  preferred_username: "username",
};
