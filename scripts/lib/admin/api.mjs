// The management API, as whoever has the token. What it refuses becomes one line that says what to do next.
// @ts-check
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Refusal, root } from "../steps.mjs";

const DEFAULT_PORT = 8787;
/** A store that did not answer is asked again, for as long as a short outage lasts. */
const TRIES = 6;

/**
 * @typedef {{ status: number, body: any, text: string }} Answer
 * @typedef {object} Question
 * @property {string} [method]
 * @property {unknown} [json] a body
 * @property {string} [lines] another body
 * @property {string} [passphrase]
 * @property {boolean} [again] whether it may be asked again when a store was away
 * @property {number[]} [also] statuses that are answers
 *
 * @typedef {object} Api
 * @property {string} url
 * @property {(path: string, question?: Question) => Promise<Answer>} ask `path` is below `/api/v1/`
 * @property {(path: string) => AsyncGenerator<any>} all every record of a list
 */

/** @param {string | undefined} named @returns {Api} */
export function connect(named) {
  const url = (named || process.env.ISSUER || `http://127.0.0.1:${process.env.PORT || DEFAULT_PORT}`).replace(/\/$/, "");
  const local = isLocal(url);
  const token = process.env.ADMIN_TOKEN || process.env.BOOTSTRAP_TOKEN || (local && keptToken());
  if (!token) {
    throw new Refusal("no token: set ADMIN_TOKEN (a token with admin:token) or BOOTSTRAP_TOKEN in the environment, or run `npm start` first");
  }

  /** @param {string} path @param {Question} [question] @returns {Promise<Answer>} */
  async function ask(path, { method, json, lines, passphrase, again = false, also = [] } = {}) {
    const body = json === undefined ? lines : JSON.stringify(json);
    const type = json === undefined ? "application/x-ndjson" : "application/json";
    const headers = {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { "content-type": type }),
      ...(passphrase === undefined ? {} : { "x-export-passphrase": passphrase }),
    };
    for (let tries = 1; ; tries += 1) {
      const answer = await send(`${url}/api/v1/${path}`, { method: method ?? (body === undefined ? "GET" : "POST"), headers, body, redirect: "error" });
      if (answer.status < 300 || also.includes(answer.status)) return answer;
      if (answer.status !== 503 || !again || tries === TRIES) throw refusal(url, answer);
      await new Promise((done) => setTimeout(done, 1_000 * tries));
    }
  }

  /** @param {string} path */
  async function* all(path) {
    for (let page = 1; page > 0; ) {
      const { body } = await ask(`${path}${path.includes("?") ? "&" : "?"}page_size=100&page=${page}`, { again: true });
      yield* body.results;
      page = body.pagination.next;
    }
  }

  return { url, ask, all };
}

/** @param {string} url whether nobody on the way can read the token */
function isLocal(url) {
  const parsed = URL.parse(url);
  if (parsed === null) throw new Refusal(`no URL: ${url}. Name the deployment by its issuer, as in --url https://id.example`);
  const local = ["127.0.0.1", "[::1]", "localhost"].includes(parsed.hostname);
  if (parsed.protocol !== "https:" && !local) throw new Refusal(`${url} is not https: the token would be read on the way`);
  return local;
}

/** The bootstrap token of a local run, which `npm start` makes. */
function keptToken() {
  const path = join(resolve(root, process.env.STATE_DIR || ".state"), "secrets.json");
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")).BOOTSTRAP_TOKEN : undefined;
}

/** @param {string} url @param {RequestInit} request @returns {Promise<Answer>} */
async function send(url, request) {
  try {
    const response = await fetch(url, request);
    const text = await response.text();
    const json = /[/+]json/.test(response.headers.get("content-type") ?? "");
    return { status: response.status, text, body: json && text !== "" ? JSON.parse(text) : undefined };
  } catch (error) {
    const { cause, message } = /** @type {Error & { cause?: Error }} */ (error);
    throw new Refusal(`${new URL(url).origin} does not answer (${cause?.message || message}): start it, or name another with --url`);
  }
}

/** @param {string} url @param {Answer} answer */
function refusal(url, { status, body, text }) {
  /** @type {string} */
  const said = body?.errors?.map((/** @type {any} */ { loc, msg }) => `${loc.at(-1)} ${msg}`).join("; ") || body?.detail || text.slice(0, 200);
  /** @type {Record<number, string>} */
  const next = {
    401: "set ADMIN_TOKEN or BOOTSTRAP_TOKEN to one that this deployment takes",
    403: "use a token of somebody who has the scope admin:token",
    404: "look at --url: there is no such thing there, or it is an older release",
    413: "this is larger than one request may be",
    503: "a store did not answer: try again in a moment",
  };
  return new Refusal(`${url} answered ${status}: ${said}${next[status] ? `; ${next[status]}` : ""}`);
}
