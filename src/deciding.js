// @ts-check
/** What the Durable Objects decide by, compiled. An isolate that never has an object does not start it. */
import wasm from "../build/objects/edgemint_bg.wasm";
import * as exports from "../build/objects/edgemint.js";
import { watched } from "./watched.js";

const started = watched(exports);
let running = false;

export const { trapped } = started;

/** The exports, ready to be called. */
export function core() {
  if (!running) {
    exports.initSync({ module: wasm });
    running = true;
  }
  return started.core();
}
