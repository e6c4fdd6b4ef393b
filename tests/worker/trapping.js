// @ts-check
/**
 * The worker, and ways to trap its core that no deployment has: `POST /hold` keeps the answers of
 * the ledger back until `POST /release`; `POST /trap` traps a request of its own, and `POST /trap-later/edge` or
 * `/objects` that module in what goes on when nobody is in it.
 */
import { core, enter } from "../../src/core.js";
import { core as deciding } from "../../src/deciding.js";
import shim from "../../src/shim.js";

export { Courier, Directory, Edgemint, Feed, Ledger } from "../../src/shim.js";

/** While it is there, the answers are held back. @type {object | undefined} */
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
            // No request is woken by another one.
            for (const mine = held; held === mine; ) await scheduler.wait(5);
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
        held = {};
        waiting = 0;
        return new Response();
      case "/held":
        return Response.json(waiting);
      case "/release":
        held = undefined;
        return new Response();
      case "/trap":
        try {
          enter((core) => core.trap());
        } catch (error) {
          return new Response(String(error));
        }
        return new Response("nothing trapped", { status: 500 });
      case "/trap-later/edge":
        queueMicrotask(() => core().trap());
        return new Response();
      case "/trap-later/objects":
        queueMicrotask(() => deciding().trap());
        return new Response();
    }
    return shim.fetch(request, { ...env, LEDGER: holdable(env.LEDGER) }, ctx);
  },
};
