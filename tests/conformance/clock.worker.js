// @ts-check
// The worker with its clock in our hands: `POST /clock` sets how many milliseconds it is ahead.
import shim from "../../src/shim.js";

export { Courier, Directory, Edgemint, Feed, Ledger } from "../../src/shim.js";

const clock = Date.now.bind(Date);
let ahead = 0;
Date.now = () => clock() + ahead;

export default {
  ...shim,
  /**
   * @param {Request} request
   * @param {any} env
   * @param {any} ctx
   */
  async fetch(request, env, ctx) {
    if (new URL(request.url).pathname !== "/clock") return shim.fetch(request, env, ctx);
    ahead = Number(await request.text());
    return new Response();
  },
};
