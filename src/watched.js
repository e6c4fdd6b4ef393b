// @ts-check
/**
 * A compiled module, and what to do after it trapped: an instance that trapped keeps what it had
 * borrowed and leaks its stack, and its pending answers never come. So whoever waits is told at
 * once, and the instance is set back to its first state before it is called again.
 */

/** What takes note of a trap of each module, by the name that it was built with. @type {Map<string, (error: unknown) => void>} */
const modules = new Map();

// A trap in a continuation surfaces nowhere else. V8 has the module's name in its trace; one without is any module's.
/** @type {any} */ (globalThis).addEventListener("error", (/** @type {{ error: unknown }} */ { error }) => {
  if (error instanceof WebAssembly.RuntimeError) {
    const named = [...modules.keys()].filter((name) => error.stack?.includes(`wasm://wasm/${name}-`));
    for (const name of named.length > 0 ? named : modules.keys()) modules.get(name)?.(error);
  }
});

/**
 * @template {{ __wbg_reset_state: () => void }} Exports
 * @param {Exports} exports of a module that was started
 * @param {string} name what `scripts/lib/modules.mjs` calls it
 */
export function watched(exports, name) {
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

  modules.set(name, trapped);
  return { core, trapped, enter };
}
