// @ts-check
// The worker in workerd, as an OP under test.
import { api, made, register, serve, serveReady } from "../worker/support.js";

const PERSON = { username: "buffy", password: "password-of-a-person" };
const PROFILE = { first_name: "Buffy", last_name: "Summers" };
const SECURE = "https://op.example";

/** @returns {Promise<import("./op.js").Started>} */
export async function start() {
  const server = await serveReady({ script: "tests/conformance/clock.worker.js" });
  await made(server, "accounts/", { ...PERSON, ...PROFILE });
  const { pk } = (await api(server, `/api/v1/users/?username=${PERSON.username}`)).body.results[0];
  const named = await api(server, `/api/v1/users/${pk}/`, { email: "buffy@op.example" }, "PATCH");
  if (named.status !== 200) throw new Error(`mail address: ${named.status} ${named.text}`);
  let ahead = 0;
  return {
    name: "Edgemint",
    issuer: server.url,
    pkce: true,
    async announced() {
      const secure = await serve({ bindings: { LOCAL: "", ISSUER: SECURE } });
      return { issuer: SECURE, get: (url) => fetch(secure.url + new URL(url, SECURE).pathname), stop: secure.stop };
    },
    register(metadata) {
      const types = /** @type {string[]} */ (metadata.response_types);
      const danger_allow_front_channel_access_tokens = types.some((type) => type.split(" ").includes("token"));
      return register(server, { implicit_consent: false, danger_allow_front_channel_access_tokens, ...metadata });
    },
    page(action) {
      const name = new URL(action, server.url).pathname.replace(/^\/oauth/, "").slice(1);
      const typed = /** @type {Record<string, Record<string, string>>} */ ({ login: PERSON, consent: { decision: "allow" }, logout: {} })[name];
      return typed && { name, typed };
    },
    async pass(seconds) {
      ahead += 1000 * seconds;
      await fetch(`${server.url}/clock`, { method: "POST", body: String(ahead) });
    },
    now: () => Date.now() + ahead,
    stop: () => server.stop(),
  };
}
