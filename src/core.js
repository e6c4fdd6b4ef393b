// @ts-check
/**
 * The compiled core, and what to do after it trapped: an instance that trapped keeps what it had
 * borrowed and leaks its stack, and its pending answers never come. So whoever waits is told at
 * once, and the instance is set back to its first state before it is called again.
 */
import wasm from "../build/edge/edgemint_bg.wasm";
import * as exports from "../build/edge/edgemint.js";

exports.initSync({ module: wasm });

let broken = false;

/** @type {Set<(error: Error) => void>} who waits for an answer of this instance */
const waiting = new Set();

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
  if (trap) {
    broken = true;
    for (const reject of waiting) {
      reject(new Error("the core trapped while this request was under way"));
    }
    waiting.clear();
  }
  return trap;
}

/**
 * Calls the core. What it gives at once is returned as it is, without a promise; a promise is
 * watched, so that it is rejected when another request brings the instance down.
 *
 * @template T
 * @param {(core: typeof exports) => T | Promise<T>} call
 * @returns {T | Promise<T>}
 */
export function enter(call) {
  let answer;
  try {
    answer = call(core());
  } catch (error) {
    trapped(error);
    throw error;
  }
  if (!(answer instanceof Promise)) {
    return answer;
  }
  const pending = answer;
  return new Promise((resolve, reject) => {
    waiting.add(reject);
    pending.then(resolve, (error) => {
      trapped(error);
      reject(error);
    }).finally(() => waiting.delete(reject));
  });
}

// A trap in a continuation surfaces nowhere else.
addEventListener("error", (event) => {
  trapped(event.error);
});
