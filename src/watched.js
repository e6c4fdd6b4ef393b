// @ts-check
/**
 * A compiled module, and what to do after it trapped: an instance that trapped keeps what it had
 * borrowed and leaks its stack, and its pending answers never come. So whoever waits is told at
 * once, and the instance is set back to its first state before it is called again.
 */

/**
 * @template {{ __wbg_reset_state: () => void }} Exports
 * @param {Exports} exports of a module that was started
 */
export function watched(exports) {
  let broken = false;

  /** @type {Set<(error: Error) => void>} who waits for an answer of this instance */
  const waiting = new Set();

  /** The exports, ready to be called. */
  function core() {
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
  function trapped(error) {
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
   * Calls the module. What it gives at once is returned as it is, without a promise; a promise is
   * watched, so that it is rejected when another request brings the instance down.
   *
   * @template T
   * @param {(core: Exports) => T | Promise<T>} call
   * @returns {T | Promise<T>}
   */
  function enter(call) {
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

  return { core, trapped, enter };
}
