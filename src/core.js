// @ts-check
/**
 * The compiled core, and what to do after it trapped: an instance that trapped keeps what it had
 * borrowed and leaks its stack, so it is set back to its first state before it is called again.
 */
import wasm from "../build/edge/edgemint_bg.wasm";
import * as exports from "../build/edge/edgemint.js";

exports.initSync({ module: wasm });

let broken = false;

/** The exports of the core, ready to be called. */
export function core() {
  if (broken) {
    exports.__wbg_reset_state();
    broken = false;
  }
  return exports;
}

/**
 * Takes note of a trap; any other error is none of its business.
 *
 * @param {unknown} error what was caught
 * @returns {boolean} whether it was a trap
 */
export function trapped(error) {
  const trap = error instanceof WebAssembly.RuntimeError;
  broken ||= trap;
  return trap;
}
