// @ts-check
// Between the issuer's answer and the tokens: a moment, in words.

import { h } from "../dom.js";

/** @returns {import("../app.js").View} */
export function arriving() {
  const node = h("div", { class: "arriving" }, h("h1", {}, "Finishing your sign-in…"), h("p", { class: "lede" }, "The code is being exchanged, and the answer checked."));
  return { node, update() {} };
}
