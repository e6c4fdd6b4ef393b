// @ts-check
/** What a resource server does with a request before its own work. */
export default {
  /**
   * @param {Request} request
   * @param {any} env
   */
  async fetch(request, env) {
    return Response.json(await env.EDGEMINT.validate(request, { scopes: ["openid"] }));
  },
};
