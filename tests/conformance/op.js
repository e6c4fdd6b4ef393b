// @ts-check
/**
 * What the conformance modules need of an OpenID Provider, whichever it is; everything else is asked over HTTP, by its
 * metadata.
 */
import { createLocalJWKSet } from "jose";
import { browser, formOf, read } from "../worker/support.js";

/**
 * @typedef {import("../worker/support.js").Client} Client
 * @typedef {import("../worker/support.js").Answer} Answer
 * @typedef {{ issuer: string, get: (url: string) => Promise<Response>, stop: () => Promise<void> }} Announced
 *
 * @typedef {object} Started
 * @property {string} name
 * @property {string} issuer
 * @property {boolean} pkce whether a request without a challenge is refused, so that each has one
 * @property {() => Promise<Announced>} announced its documents as they are behind https
 * @property {(metadata: Record<string, unknown>) => Promise<Client>} register
 * @property {(action: string, hidden: Record<string, string>) => { name: string, typed: Record<string, string> } | undefined} page
 *   which of its own pages has such a form (`login`, `consent`, `logout`), and what somebody who agrees types there
 * @property {(seconds: number) => Promise<void>} pass its clock moves on, without anybody waiting
 * @property {() => number} now its clock, in milliseconds
 * @property {() => Promise<void>} stop
 *
 * @typedef {Awaited<ReturnType<typeof underTest>>} Op
 * @typedef {ReturnType<typeof visitor>} Visitor
 *
 * @typedef {object} Walked
 * @property {URL} [location] where the browser was sent, when that is elsewhere
 * @property {{ action: string, hidden: Record<string, string> }} [posted] what it was to post, when that is elsewhere
 * @property {string[]} pages those of the OP that somebody had to answer
 * @property {Answer} last
 */

export const REDIRECT = "https://client.example/callback";
export const POST_LOGOUT = "https://client.example/bye";
const MOST_STEPS = 16;

/** @param {Started} started */
export async function underTest(started) {
  const metadata = (await read(await fetch(`${started.issuer}/.well-known/openid-configuration`))).body;
  const { body } = await read(await fetch(metadata.jwks_uri));
  return { ...started, metadata, jwks: body, keys: createLocalJWKSet(body), open: () => visitor(started) };
}

/**
 * A browser of somebody who signs in and agrees where that is asked. It follows nothing away from the OP.
 *
 * @param {Started} op
 */
function visitor(op) {
  const { go } = browser({ url: op.issuer });

  /**
   * @param {string | URL} start
   * @param {Record<string, string>} [form] is posted there, from the client's site
   * @returns {Promise<Walked>}
   */
  async function walk(start, form) {
    const accept = "text/html";
    const headers = { origin: new URL(REDIRECT).origin, "sec-fetch-site": "cross-site", accept };
    const pages = [];
    let last = await go(start, form ? { form, headers } : { headers: { accept } });
    for (let steps = 0; steps < MOST_STEPS; steps += 1) {
      const location = last.headers.get("location");
      if (location !== null) {
        const target = new URL(location, op.issuer);
        if (target.origin !== op.issuer) return { location: target, pages, last };
        last = await go(target, { headers: { accept } });
        continue;
      }
      const found = formOf(last.text);
      if (found === undefined) return { pages, last };
      // Whatever its status, a browser posts it.
      if (new URL(found.action, op.issuer).origin !== op.issuer) return { posted: found, pages, last };
      if (last.status !== 200) return { pages, last };
      const page = op.page(found.action, found.hidden);
      if (page === undefined) return { pages, last };
      pages.push(page.name);
      last = await go(found.action, { form: { ...found.hidden, ...page.typed }, headers: { accept } });
    }
    throw new Error("the browser was sent in circles");
  }

  return { walk };
}
