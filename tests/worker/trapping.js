// @ts-check
/**
 * The worker, and ways to trap its core that no deployment has: `POST /hold` keeps the answers of
 * the ledger back until `POST /release`; `POST /trap` traps a request of its own.
 */
import { enter } from "../../src/core.js";
import shim from "../../src/shim.js";

export { Courier, Directory, Edgemint, Feed, Ledger } from "../../src/shim.js";

/** @type {PromiseWithResolvers<void> | undefined} */
let held;
let waiting = 0;

/**
 * @param {any} namespace
 * @returns {any}
 */
function holdable(namespace) {
  return new Proxy(namespace, {
    get(object, property) {
      const value = object[property];
      if (typeof value !== "function" || property === "constructor") return value;
      if (property !== "getByName") return value.bind(object);
      return (/** @type {string} */ name) => ({
        call: async (/** @type {string} */ call) => {
          const answer = await object.getByName(name).call(call);
          if (held !== undefined) {
            waiting += 1;
            await held.promise;
          }
          return answer;
        },
      });
    },
  });
}

export default {
  /**
   * @param {Request} request
   * @param {any} env
   * @param {ExecutionContext} ctx
   */
  async fetch(request, env, ctx) {
    switch (new URL(request.url).pathname) {
      case "/hold":
        held = Promise.withResolvers();
        waiting = 0;
        return new Response();
      case "/held":
        return Response.json(waiting);
      case "/release":
        held?.resolve();
        held = undefined;
        return new Response();
      case "/trap":
        try {
          enter((core) => core.trap());
        } catch (error) {
          return new Response(String(error));
        }
        return new Response("nothing trapped", { status: 500 });
    }
    return shim.fetch(request, { ...env, LEDGER: holdable(env.LEDGER) }, ctx);
  },
};
