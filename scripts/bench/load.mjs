// The load generator: requests over kept-alive connections, one at a time on each, from a thread of its own. Written
// here because codes and refresh tokens are used once, so that every request differs, and because every answer is
// looked at: one that is not as expected ends the run. Sockets instead of an HTTP library, because it must be
// quicker than what it measures. It asked a socket that answers blindly 52,000 times a second (autocannon 44,000), and
// the floor in workerd 12,000 times, where autocannon came to 11,000: workerd's one thread is the limit, not this.
// @ts-check
import { Worker } from "node:worker_threads";

/**
 * @typedef {object} Ask what one slice sends, to one server
 * @property {string} url where to; only host and port are looked at
 * @property {Uint8Array[]} requests whole, as `request` below makes them
 * @property {number} status the one status that is not a failure
 * @property {string} text what every answer has in it
 * @property {"cycle" | "once" | "chain"} [order] `cycle` (default): again and again. `once`: each of
 *   them once. `chain`: each connection puts one of `tokens` in the place of `{captured}`, and what `capture` finds in
 *   the answer into its next request
 * @property {string[]} [tokens]
 * @property {string} [capture] a regular expression; its group is kept of every answer
 * @property {number} [connections]
 * @property {number} [seconds] ends when the time is over, or
 * @property {number} [count] after so many requests
 *
 * @typedef {object} Slice what came of it
 * @property {number} requests
 * @property {number} seconds
 * @property {Float64Array} latencies milliseconds, ascending
 * @property {string[]} captured in the order of the answers; for `chain` the last of every connection
 */

export const CONNECTIONS = 16;

/** One thread that sends; one slice at a time. */
export function loadGenerator() {
  const thread = new Worker(new URL("./load.thread.mjs", import.meta.url));
  return {
    /** @param {Ask} ask @returns {Promise<Slice>} */
    run: (ask) =>
      new Promise((resolve, reject) => {
        thread.once("message", ({ slice, failure }) => (slice ? resolve(slice) : reject(new Error(failure))));
        thread.postMessage({ ...ask, connections: ask.connections ?? CONNECTIONS, order: ask.order ?? "cycle" });
      }),
    stop: () => thread.terminate(),
  };
}

/** @typedef {ReturnType<typeof loadGenerator>} LoadGenerator */

/**
 * @param {string} url
 * @param {{ method?: string, headers?: Record<string, string>, form?: Record<string, string> }} [options]
 */
export function request(url, { method, headers = {}, form } = {}) {
  const { host, pathname, search } = new URL(url);
  // What a chain fills in is not to be encoded yet.
  const body = form ? new URLSearchParams(form).toString().replace("%7Bcaptured%7D", "{captured}") : "";
  const lines = Object.entries({
    host,
    ...headers,
    ...(form ? { "content-type": "application/x-www-form-urlencoded", "content-length": String(body.length) } : {}),
  });
  const head = [`${method ?? (form ? "POST" : "GET")} ${pathname}${search} HTTP/1.1`, ...lines.map((line) => line.join(": "))];
  return Buffer.from(`${head.join("\r\n")}\r\n\r\n${body}`);
}
