// @ts-check
/**
 * What the Durable Objects decide by, and the management API, compiled. An isolate that never has an object and is
 * asked by no administrator does not start it.
 */
import wasm from "../build/objects/edgemint_bg.wasm";
import * as exports from "../build/objects/edgemint.js";
import { watched } from "./watched.js";

const started = watched(exports, "objects");
let running = false;

export const { trapped } = started;

/** The exports, ready to be called. */
export function core() {
  start();
  return started.core();
}

/** @type {typeof started.enter} calls the management API, as `watched` has it */
export function enter(call) {
  start();
  return started.enter(call);
}

/** Takes note that the other module changed something; one that does not run keeps nothing. */
export function told() {
  if (running) {
    started.enter((core) => core.told());
  }
}

function start() {
  if (!running) {
    exports.initSync({ module: wasm });
    running = true;
  }
}
