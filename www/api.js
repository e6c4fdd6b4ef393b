// @ts-check
// Requests to our own origin: one place for time-outs, for reading answers, and for the activity log.

import { failure } from "./problems.js";

/**
 * @typedef {object} Request
 * @property {string} method
 * @property {string} path
 * @property {Record<string, string>} [form] sent as application/x-www-form-urlencoded
 * @property {string} [bearer]
 *
 * @typedef {object} Answer
 * @property {string} method
 * @property {string} path
 * @property {number} status 0 when nothing was heard
 * @property {number} ms
 * @property {any} body parsed JSON, or text
 * @property {string} [challenge] the `error` of WWW-Authenticate
 * @property {number} [retryAfter] seconds
 * @property {string} [requestId]
 */

/**
 * Sends a request and says what came back, whatever it was.
 * @param {Request} request
 * @param {(answer: Answer) => void} log
 * @returns {Promise<Answer>}
 */
export async function send({ method, path, form, bearer }, log) {
  /** @type {Record<string, string>} */
  const headers = { accept: "application/json" };
  if (bearer !== undefined) headers.authorization = `Bearer ${bearer}`;
  const started = performance.now();
  /** @type {Answer} */
  let answer;
  try {
    const response = await fetch(path, {
      method,
      headers,
      body: form && new URLSearchParams(form),
      // A token request must work by the token alone.
      credentials: "omit",
      redirect: "error",
      cache: "no-store",
      signal: AbortSignal.timeout(PATIENCE),
    });
    const text = await response.text();
    answer = {
      method,
      path,
      status: response.status,
      ms: performance.now() - started,
      body: parsed(text),
      challenge: /\berror="([a-z_]+)"/.exec(response.headers.get("www-authenticate") ?? "")?.[1],
      retryAfter: Number(response.headers.get("retry-after")) || undefined,
      requestId: response.headers.get("x-request-id") ?? undefined,
    };
  } catch {
    answer = { method, path, status: 0, ms: performance.now() - started, body: undefined };
  }
  log(answer);
  return answer;
}

/**
 * The path of an endpoint that the metadata names. The issuer of this demo is its own origin, so
 * an endpoint elsewhere is a mistake in the metadata, and no token goes there.
 * @param {string} endpoint
 */
export function pathOf(endpoint) {
  const url = new URL(endpoint, location.origin);
  if (url.origin !== location.origin) throw failure("foreign_endpoint");
  return url.pathname;
}

/** @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Milliseconds until an unanswered request counts as lost. */
const PATIENCE = 15_000;
