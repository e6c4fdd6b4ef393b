// @ts-check
/** What is done behind an answer, and where it is noted that there was none. */
import * as protocol from "./core.js";
import * as management from "./deciding.js";

/**
 * What a module wants done behind its answer.
 *
 * @param {string} sign
 * @param {typeof protocol | typeof management} module
 * @param {any} env
 * @param {any} ctx
 * @param {string} id
 */
export function behind(sign, module, env, ctx, id) {
  if (sign === "+") {
    ctx.waitUntil(Promise.resolve(module.enter((core) => core.refresh(env, Date.now(), id))));
  } else if (sign === "!") {
    (module === protocol ? management : protocol).told();
  }
}

/**
 * @param {unknown} error
 * @param {string} id
 */
export function failed(error, id) {
  console.error(JSON.stringify({ level: "error", request_id: id, reason: String(error) }));
}
