// @ts-check
/**
 * One set of objects and one KV for several workerds: `POST /object/{binding}/{name}` calls, `/kv/{verb}?key=`
 * reads and writes. `edge.js` is the other end.
 */
export { Courier, Directory, Edgemint, Feed, Ledger } from "../../src/shim.js";

export default {
  /**
   * @param {Request} request
   * @param {any} env
   */
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    const [, what, verb, name] = pathname.split("/");
    if (what === "object") return new Response(await env[verb].getByName(name).call(await request.text()));
    const key = searchParams.get("key");
    const value = verb === "get" ? await env.KV.get(key) : await env.KV.put(key, await request.text());
    return Response.json(value ?? null);
  },
};
