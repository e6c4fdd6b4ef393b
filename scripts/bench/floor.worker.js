// @ts-check
/**
 * The least that any worker could do: it reads all of the request that ours reads, and answers what ours once answered.
 */
import { WorkerEntrypoint } from "cloudflare:workers";

const READ = ["authorization", "content-type", "content-length"];
const READ_OF_PROXIES = ["cookie", "origin", "x-edgemint-proxy", "x-original-url", "x-original-method", "x-requested-with", "x-forwarded-for", "access-control-request-method"];

export default {
  /**
   * @param {Request} request
   * @param {{ ANSWERS: Record<string, { status: number, headers: [string, string][], body: string }> }} env
   */
  async fetch(request, env) {
    const { method, headers, url } = request;
    for (const name of READ) headers.get(name);
    if (method !== "GET") await request.text();
    const row = url.slice(url.lastIndexOf("/") + 1);
    if (row.startsWith("subrequest")) for (const name of READ_OF_PROXIES) headers.get(name);
    const answer = env.ANSWERS[row];
    return new Response(answer.body, { status: answer.status, headers: answer.headers });
  },
};

export class Edgemint extends WorkerEntrypoint {
  /** @param {Request} request */
  validate(request) {
    request.headers.get("authorization");
    const { env, ctx } = /** @type {any} */ (this);
    return ctx.props.client ? env.VERDICT : undefined;
  }
}
