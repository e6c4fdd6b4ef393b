// @ts-check
// One run of a module: its client, its requests as the plan's variant has them, and what it found.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { VERIFIER, challenge, read } from "../worker/support.js";
import { answerOf, checkAnswer, checkError, checkIdToken, checkTokens } from "./checks.js";
import { POST_LOGOUT, REDIRECT } from "./op.js";

/**
 * @typedef {{ response_type: string, response_mode?: string, client_auth?: string }} Variant
 * @typedef {Record<string, string | undefined>} Form a member that is undefined is not sent
 * @typedef {{ visitor?: import("./op.js").Visitor, post?: boolean, order?: (query: [string, string][]) => [string, string][] }} How
 * @typedef {{ token: string, header: import("jose").JWTHeaderParameters, claims: any }} IdToken
 * @typedef {ReturnType<typeof started>} Run
 */

const SCOPES = ["openid", "profile", "email", "address", "phone", "offline_access"];
/** As long as the suite's: a shorter one could pass where longer ones are cut. */
const LONG_STATE = 96;

/** What a module that is skipped says. Until then it has checked what has to be so where the feature is missing. */
export class Skipped extends Error {}

/** @param {string} why @returns {never} */
export function skip(why) {
  throw new Skipped(why);
}

/**
 * @param {import("./op.js").Op} op
 * @param {Variant} variant
 */
export function started(op, { response_type, response_mode, client_auth = "client_secret_basic" }) {
  const types = response_type.split(" ");
  const [code, idToken, token] = ["code", "id_token", "token"].map((type) => types.includes(type));
  /** @type {string[]} what the suite would warn of */
  const warnings = [];

  /** @param {boolean} right @param {string} otherwise */
  function warn(right, otherwise) {
    if (!right && !warnings.includes(otherwise)) warnings.push(otherwise);
  }

  /** @param {Record<string, unknown>} [metadata] */
  const register = (metadata) =>
    op.register({
      redirect_uris: [REDIRECT],
      post_logout_redirect_uris: [POST_LOGOUT],
      response_types: [response_type],
      grant_types: [...(code ? ["authorization_code", "refresh_token"] : []), ...(idToken || token ? ["implicit"] : [])],
      token_endpoint_auth_method: client_auth,
      scope: SCOPES.filter((scope) => op.metadata.scopes_supported.includes(scope)).join(" "),
      ...metadata,
    });

  /** @param {import("./op.js").Client} client @param {Form} [more] @returns {Form} */
  const request = (client, more) => ({
    response_type,
    response_mode,
    client_id: client.client_id,
    redirect_uri: REDIRECT,
    scope: "openid",
    state: randomBytes(LONG_STATE).toString("base64url"),
    nonce: randomBytes(8).toString("base64url"),
    ...(code && op.pkce ? pkce : {}),
    ...more,
  });

  /**
   * Where a request leads.
   *
   * @param {Form} form
   * @param {How} [how]
   */
  function authorize(form, { visitor = op.open(), post = false, order = (query) => query } = {}) {
    const query = new URLSearchParams(order(/** @type {[string, string][]} */ (Object.entries(form).filter(([, value]) => value !== undefined))));
    const url = new URL(op.metadata.authorization_endpoint);
    if (post) return visitor.walk(url, Object.fromEntries(query));
    url.search = query.toString();
    return visitor.walk(url);
  }

  /**
   * The answer to a request, where it has to be and whose it has to be.
   *
   * @param {Form} form
   * @param {How} [how]
   */
  async function answered(form, how) {
    const walked = await authorize(form, how);
    const answer = answerOf(walked, form);
    checkAnswer(answer, op.issuer, form.state);
    return { answer, pages: walked.pages };
  }

  /** The answer is an error. @param {Form} form @param {string[]} errors @param {How} [how] */
  async function refused(form, errors, how) {
    checkError((await answered(form, how)).answer, errors);
  }

  /** Nobody is led anywhere: the OP shows a page that says what is wrong. @param {import("./op.js").Walked} walked */
  function isErrorPage({ location, posted, last }) {
    assert.equal(location ?? posted, undefined, `led to ${location ?? posted?.action}`);
    assert.ok(last.status >= 400 && last.status < 500, String(last.status));
    assert.match(last.headers.get("content-type") ?? "", /^text\/html/);
  }

  /**
   * A form post to the token endpoint, by a client that authenticates as it is registered.
   *
   * @param {import("./op.js").Client} client
   * @param {Form} form
   */
  async function askToken(client, form) {
    const { client_id, client_secret = "" } = client;
    const basic = client_auth === "client_secret_basic";
    const secret = Buffer.from(`${encodeURIComponent(client_id)}:${encodeURIComponent(client_secret)}`).toString("base64");
    const body = new URLSearchParams({ ...(basic ? {} : { client_id, client_secret }), .../** @type {Record<string, string>} */ (form) });
    return read(await fetch(op.metadata.token_endpoint, { method: "POST", headers: basic ? { authorization: `Basic ${secret}` } : {}, body }));
  }

  /** @param {import("./op.js").Client} client @param {string} found @param {Form} form the request that it answers */
  function exchange(client, found, { code_challenge, redirect_uri }) {
    const verifier = code_challenge === undefined ? {} : { code_verifier: VERIFIER };
    return askToken(client, { grant_type: "authorization_code", code: found, redirect_uri, ...verifier });
  }

  /** @param {import("./op.js").Client} client @param {string} refresh_token @param {Form} [more] */
  const refresh = (client, refresh_token, more) => askToken(client, { grant_type: "refresh_token", refresh_token, ...more });

  /** @param {string} bearer @param {"get" | "post-header" | "post-body"} [how] */
  async function askUserinfo(bearer, how = "get") {
    const headers = /** @type {Record<string, string>} */ (how === "post-body" ? {} : { authorization: `Bearer ${bearer}` });
    const body = how === "post-body" ? new URLSearchParams({ access_token: bearer }) : undefined;
    return read(await fetch(op.metadata.userinfo_endpoint, { method: how === "get" ? "GET" : "POST", headers, body }));
  }

  /**
   * A flow from end to end, with all that is checked in each.
   *
   * @param {import("./op.js").Client} client
   * @param {Form} [more]
   * @param {How} [how]
   */
  async function signIn(client, more, how) {
    const form = request(client, more);
    const { answer, pages } = await answered(form, how);
    assert.equal(answer.get("error"), null, `${answer.get("error")}: ${answer.get("error_description")}`);
    for (const [name, expected] of /** @type {[string, boolean][]} */ ([["code", code], ["id_token", idToken], ["access_token", token]])) {
      assert.equal(answer.has(name), expected, name);
    }
    /** @type {IdToken[]} */
    const idTokens = [];
    const access = [];
    if (idToken) {
      const given = answer.get("id_token") ?? "";
      idTokens.push({ token: given, ...(await checkIdToken(op, given, { client, nonce: form.nonce })) });
    }
    if (token) {
      assert.match(answer.get("token_type") ?? "", /^bearer$/i);
      access.push(answer.get("access_token") ?? "");
    }
    /** @type {any} */
    let tokens;
    if (code) {
      tokens = checkTokens(await exchange(client, answer.get("code") ?? "", form));
      idTokens.push({ token: tokens.id_token, ...(await checkIdToken(op, tokens.id_token, { client, nonce: form.nonce })) });
      access.push(tokens.access_token);
    }
    const [first, second = first] = idTokens;
    assert.deepEqual([second.claims.iss, second.claims.sub], [first.claims.iss, first.claims.sub]);
    for (const each of access) {
      const { status, text, body } = await askUserinfo(each);
      assert.equal(status, 200, text);
      assert.equal(body.sub, second.claims.sub);
    }
    return { form, answer, pages, tokens, access, idTokens, claims: second.claims };
  }

  return {
    ...{ op, response_type, response_mode, gives: { code, idToken, token }, warnings },
    ...{ warn, register, request, authorize, answered, refused, isErrorPage, exchange, refresh, askUserinfo, signIn },
  };
}

export const pkce = { code_challenge: challenge(VERIFIER), code_challenge_method: "S256" };
