// @ts-check
/**
 * The least that any worker could do: it reads all of the request that ours reads, and answers what ours once answered.
 */
import { WorkerEntrypoint } from "cloudflare:workers";

const READ = ["authorization", "content-type", "content-length"];

export default {
  /**
   * @param {Request} request
   * @param {{ ANSWERS: Record<string, { status: number, headers: [string, string][], body: string }> }} env
   */
  async fetch(request, env) {
    const { method, headers, url } = request;
    for (const name of READ) headers.get(name);
    if (method !== "GET") await request.text();
    const answer = env.ANSWERS[url.slice(url.lastIndexOf("/") + 1)];
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
