// @ts-check
/** A Worker with service bindings to ours: `POST /{binding}/{method}` with its arguments as a JSON list. */
export default {
  /**
   * @param {Request} request
   * @param {any} env
   */
  async fetch(request, env) {
    const [, binding, method] = new URL(request.url).pathname.split("/");
    const values = /** @type {any[]} */ (await request.json());
    if (method === "validate") {
      const { url = "https://resource.example/", verb = "GET", ...headers } = values[0];
      values[0] = new Request(url, { method: verb, headers });
    }
    return Response.json(await env[binding][method](...values));
  },
};
