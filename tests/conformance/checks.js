// @ts-check
// What every module checks of an answer: OpenID Connect Core §2, §3.1.3.7, §5.1, RFC 6749, RFC 9207.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { jwtVerify } from "jose";
import { REDIRECT } from "./op.js";

const SECONDS = 1000;
/** A clock may be off by so much, in seconds. */
const SKEW = 300;
/** OpenID Connect Core §3.1.2.6: what cannot be done without a page. */
export const NEEDS_A_PAGE = ["interaction_required", "login_required", "account_selection_required", "consent_required"];

const text = (/** @type {unknown} */ value) => typeof value === "string" && value !== "";
const flag = (/** @type {unknown} */ value) => typeof value === "boolean";
/** OpenID Connect Core §5.1. @type {Record<string, (value: any) => boolean>} */
const STANDARD_CLAIMS = {
  ...Object.fromEntries(["sub", "name", "given_name", "family_name", "middle_name", "nickname", "preferred_username"].map((name) => [name, text])),
  ...Object.fromEntries(["profile", "picture", "website", "email", "gender", "zoneinfo", "locale", "phone_number"].map((name) => [name, text])),
  email_verified: flag,
  phone_number_verified: flag,
  birthdate: (value) => /^\d{4}(-\d{2}-\d{2})?$/.test(value),
  updated_at: (value) => Number.isInteger(value) && value > 0,
  address: (value) => typeof value === "object" && value !== null,
};

/**
 * The parameters of an answer, from where its response type and mode put them and from nowhere else.
 *
 * @param {import("./op.js").Walked} walked
 * @param {Record<string, string | undefined>} request
 */
export function answerOf({ location, posted, last }, { response_type, response_mode = response_type === undefined || response_type === "code" ? "query" : "fragment" }) {
  const target = posted && response_mode === "form_post" ? new URL(posted.action) : location;
  assert.ok(target, `not led to the client: ${last.status} ${last.text}`);
  assert.equal(target.origin + target.pathname, REDIRECT);
  const [query, fragment] = [target.search.slice(1), target.hash.slice(1)];
  assert.equal(response_mode === "query" ? fragment : query, "", "an answer is in one place");
  if (response_mode === "form_post") {
    assert.equal(fragment, "");
    return new URLSearchParams(posted?.hidden);
  }
  return new URLSearchParams(response_mode === "query" ? query : fragment);
}

/** Who sent it and for which request. @param {URLSearchParams} answer @param {string} issuer @param {string | undefined} state */
export function checkAnswer(answer, issuer, state) {
  assert.ok(answer.getAll("state").length <= 1);
  assert.equal(answer.get("state"), state ?? null);
  assert.equal(answer.get("iss") ?? issuer, issuer);
}

/** An answer that says why there is none. @param {URLSearchParams} answer @param {string[]} errors */
export function checkError(answer, errors) {
  assert.ok(errors.includes(answer.get("error") ?? ""), `error=${answer.get("error")} ${answer.get("error_description")}`);
  assert.match(answer.get("error_description") ?? "", /^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/);
  for (const given of ["code", "access_token", "id_token"]) assert.equal(answer.get(given), null);
}

/**
 * @param {import("./op.js").Op} op
 * @param {string | null | undefined} token
 * @param {{ client: import("./op.js").Client, nonce?: string }} expected
 * @returns {Promise<{ header: import("jose").JWTHeaderParameters, claims: any }>}
 */
export async function checkIdToken(op, token, { client, nonce }) {
  assert.ok(token, "no ID token");
  const at = new Date(op.now());
  const options = { issuer: op.issuer, audience: client.client_id, currentDate: at, requiredClaims: ["sub", "exp", "iat"] };
  const { payload: claims, protectedHeader: header } = await jwtVerify(token, op.keys, options);
  assert.ok(header.kid === undefined || op.jwks.keys.some((/** @type {any} */ { kid }) => kid === header.kid), "its key is not published");
  assert.match(claims.sub ?? "", /^[\x20-\x7e]{1,255}$/);
  assert.ok(Number(claims.exp) > Number(claims.iat));
  assert.ok(Math.abs(Number(claims.iat) - at.getTime() / SECONDS) < SKEW, "iat is far from now");
  assert.ok(claims.azp === undefined || claims.azp === client.client_id);
  assert.ok(!Array.isArray(claims.aud) || claims.aud.length === 1 || claims.azp === client.client_id);
  assert.ok(claims.acr === undefined || text(claims.acr));
  if (nonce !== undefined) assert.equal(claims.nonce, nonce);
  checkStandardClaims(claims);
  return { header: /** @type {any} */ (header), claims };
}

/** @param {Record<string, unknown>} claims */
export function checkStandardClaims(claims) {
  for (const [name, value] of Object.entries(claims)) {
    assert.ok(STANDARD_CLAIMS[name]?.(value) ?? true, `${name}: ${JSON.stringify(value)}`);
  }
}

/** The left half of a digest by the ID token's own hash, §3.3.2.11. @param {string} value @param {string} alg */
export function halfHash(value, alg) {
  const digest = createHash(alg === "EdDSA" ? "sha512" : `sha${alg.slice(2)}`).update(value).digest();
  return digest.subarray(0, digest.length / 2).toString("base64url");
}

/** @param {{ status: number, headers: Headers, body: any, text: string }} answer */
export function checkTokens({ status, headers, body, text: said }) {
  assert.equal(status, 200, said);
  assert.match(headers.get("content-type") ?? "", /^application\/json/);
  assert.ok(text(body.access_token) && text(body.token_type));
  assert.ok(body.expires_in === undefined || (Number.isInteger(body.expires_in) && body.expires_in > 0));
  return body;
}

/** At least 16 characters and 96 bits, as far as the characters of one code tell. @param {string} code */
export function checkCode(code) {
  assert.ok(code.length >= 16);
  const counts = Object.values(Object.groupBy(code, (character) => character)).map((found) => (found ?? []).length / code.length);
  const bits = code.length * counts.reduce((sum, share) => sum - share * Math.log2(share), 0);
  assert.ok(bits >= 96, `${bits} bits`);
}
