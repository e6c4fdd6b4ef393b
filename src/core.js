// @ts-check
/** The compiled core: what answers requests. */
import wasm from "../build/edge/edgemint_bg.wasm";
import * as exports from "../build/edge/edgemint.js";
import { watched } from "./watched.js";

exports.initSync({ module: wasm });

export const { core, trapped, enter } = watched(exports);

// A trap in a continuation surfaces nowhere else.
addEventListener("error", (event) => {
  trapped(event.error);
});
