// @ts-check
/**
 * A Worker in front of an origin, which lets through what `edgemint/validator` says yes to. It makes validators as it is
 * told, and has a clock and a network that may be disturbed.
 */
import { createValidator, refusalResponse } from "./validator-workerd.js";

const platform = Date.now;
/** @type {{ ahead: number, away: string | null }} */
let faults = { ahead: 0, away: null };
Date.now = () => platform() + faults.ahead;

/** @type {Map<string, { validator: any, asked: string[] }>} */
const made = new Map();

export default {
  /**
   * @param {Request} request
   * @param {any} env
   */
  async fetch(request, env) {
    const [, verb, id] = new URL(request.url).pathname.split("/");
    if (verb === "faults") {
      faults = /** @type {any} */ (await request.json());
      return new Response(null, { status: 204 });
    }
    if (verb === "make") {
      const { binding, ...options } = /** @type {any} */ (await request.json());
      /** @type {string[]} */
      const asked = [];
      const counted = (/** @type {string} */ url, /** @type {RequestInit} */ init) => {
        asked.push(new URL(url).pathname);
        if (faults.away !== null && new URL(url).pathname.includes(faults.away)) throw new Error("away");
        return fetch(url, init);
      };
      made.set(id, { validator: createValidator({ ...options, ...(binding ? { binding: env.EDGEMINT } : {}), fetch: counted }), asked });
      return new Response(null, { status: 204 });
    }
    const { validator, asked } = /** @type {{ validator: any, asked: string[] }} */ (made.get(id));
    if (verb === "asked") return Response.json(asked);
    if (verb === "validate") {
      const { authorizations, required } = /** @type {any} */ (await request.json());
      return Response.json(await Promise.all(authorizations.map((/** @type {any} */ one) => validator.validate(one, required))));
    }
    const verdict = await validator.validate(request, { scopes: ["a"] });
    if (!verdict.active) return refusalResponse(verdict);
    const headers = new Headers(request.headers);
    headers.delete("authorization");
    headers.set("x-user", verdict.username);
    return env.ORIGIN.fetch(new Request(request, { headers }));
  },
};
