// @ts-check
// The worker in workerd, as a subject of the protocol suite.
import { browser, register, serveReady } from "../support.js";

/** @returns {Promise<import("./subject.js").Started>} */
export async function start() {
  const server = await serveReady();
  return {
    issuer: server.url,
    register: ({ asks, ...metadata }) => register(server, { implicit_consent: !asks, ...metadata }),
    open() {
      const { go, walk } = browser(server);
      return {
        async walk(url, { deny = false, form } = {}) {
          const person = { decision: deny ? "deny" : "allow" };
          if (form === undefined) return walk(url, person);
          // A POST is led to a GET before anybody looks at a cookie.
          const last = await go(url, { form });
          const location = last.headers.get("location");
          return location === null ? { last } : walk(new URL(location, server.url), person);
        },
      };
    },
    stop: () => server.stop(),
  };
}
