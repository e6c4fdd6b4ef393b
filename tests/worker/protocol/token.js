// @ts-check
// The token endpoint: codes, client authentication, refresh tokens, ID tokens. RFC 6749, 7636, 9700, OpenID Connect Core.
import assert from "node:assert/strict";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { VERIFIER, atOnce } from "../support.js";
import { NOBODY, REDIRECT, assertRefused } from "../subjects/subject.js";

const RACERS = 20;

/** @typedef {import("../subjects/subject.js").Subject} Subject @type {Record<string, (s: Subject) => Promise<unknown>>} */
export const codes = {
  "a code is exchanged for bearer tokens that nobody stores": async (s) => {
    const { status, headers, body } = await s.exchange(await s.code());
    assert.equal(status, 200);
    assert.equal(body.token_type.toLowerCase(), "bearer");
    assert.ok(Number.isInteger(body.expires_in) && body.expires_in > 0);
    assert.ok(body.access_token && body.id_token && body.refresh_token);
    assert.match(headers.get("cache-control") ?? "", /no-store/);
    assert.match(headers.get("content-type") ?? "", /^application\/json/);
  },
  "every way to authenticate that is registered works": async (s) => {
    for (const client of [s.clients.web, s.clients.post, s.clients.page]) assert.ok((await s.tokens({}, client)).access_token);
  },
  "a code is redeemed once": async (s) => {
    const code = await s.code();
    assert.equal((await s.exchange(code)).status, 200);
    assertRefused(await s.exchange(code), 400, "invalid_grant");
  },
  "a second redemption ends what the first one got": async (s) => {
    const code = await s.code();
    const { body } = await s.exchange(code);
    await s.exchange(code);
    assert.equal(await s.active(body.access_token), false);
    assertRefused(await s.refresh(body.refresh_token), 400, "invalid_grant");
  },
  "of twenty redemptions at once one succeeds": async (s) => {
    for (let round = 0; round < 5; round += 1) {
      const code = await s.code();
      const answers = await atOnce(RACERS, () => s.exchange(code));
      assert.equal(answers.filter(({ status }) => status === 200).length, 1);
    }
  },
  "a code that nobody issued is invalid": async (s) => assertRefused(await s.exchange("nonsense"), 400, "invalid_grant"),
  "a code of another client is invalid, and stays good for its own": async (s) => {
    const code = await s.code();
    assertRefused(await s.exchange(code, {}, { client: s.clients.other }), 400, "invalid_grant");
    assert.equal((await s.exchange(code)).status, 200);
  },
  "without a code the request is invalid": async (s) => assertRefused(await s.exchange("", { code: undefined }), 400, "invalid_request"),
  "another redirect URI is refused": async (s) => assertRefused(await s.exchange(await s.code(), { redirect_uri: `${REDIRECT}/` }), 400, "invalid_grant"),
  "the redirect URI need not be repeated, because the verifier says more": async (s) =>
    assert.equal((await s.exchange(await s.code(), { redirect_uri: undefined })).status, 200),
  "a verifier that is left out is refused": async (s) =>
    assertRefused(await s.exchange(await s.code(), { code_verifier: undefined }), 400, ["invalid_grant", "invalid_request"]),
  "a wrong verifier is refused": async (s) => assertRefused(await s.exchange(await s.code(), { code_verifier: "w".repeat(43) }), 400, "invalid_grant"),
  "the challenge is no verifier": async (s) => assertRefused(await s.exchange(await s.code({ code_challenge: VERIFIER })), 400, "invalid_grant"),
  "a verifier that is too short, too long or of other characters is refused": async (s) => {
    for (const code_verifier of ["v".repeat(42), "v".repeat(129), `${"v".repeat(42)}+`]) {
      assertRefused(await s.exchange(await s.code(), { code_verifier }), 400, ["invalid_grant", "invalid_request"]);
    }
  },
  "a wrong verifier does not spend the code": async (s) => {
    const code = await s.code();
    await s.exchange(code, { code_verifier: "w".repeat(43) });
    assert.equal((await s.exchange(code)).status, 200);
  },
  "an access token is no code": async (s) => assertRefused(await s.exchange((await s.tokens()).access_token), 400, "invalid_grant"),
};

/** @type {Record<string, (s: Subject) => Promise<unknown>>} */
export const requests = {
  "without a grant type the request is invalid": async (s) => assertRefused(await s.token(s.clients.web, {}), 400, "invalid_request"),
  "an unknown grant type is unsupported": async (s) => assertRefused(await s.token(s.clients.web, { grant_type: "nonsense" }), 400, "unsupported_grant_type"),
  "a password is no grant": async (s) =>
    assertRefused(await s.token(s.clients.web, { grant_type: "password", username: "admin", password: "x" }), 400, ["unsupported_grant_type", "unauthorized_client"]),
  "a grant that the client is not registered for is unauthorized": async (s) =>
    assertRefused(await s.token(s.clients.web, { grant_type: "client_credentials" }), 400, "unauthorized_client"),
  "a parameter that comes twice is refused": async (s) => {
    const body = `grant_type=authorization_code&grant_type=authorization_code&code=x&redirect_uri=${encodeURIComponent(REDIRECT)}`;
    assertRefused(await s.token(s.clients.web, {}, { body }), 400, "invalid_request");
  },
  "a body that is JSON is refused": async (s) => {
    const answer = await s.token(s.clients.web, {}, { headers: { "content-type": "application/json" }, body: '{"grant_type":"authorization_code"}' });
    assertRefused(answer, 400, "invalid_request");
  },
  "what is in the query is not read": async (s) => {
    const query = `?grant_type=authorization_code&code=${await s.code()}&redirect_uri=${encodeURIComponent(REDIRECT)}&code_verifier=${VERIFIER}`;
    assertRefused(await s.token(s.clients.web, {}, { query }), 400, "invalid_request");
  },
  "GET gets no token": async (s) => {
    const { status } = await s.token(s.clients.web, {}, { method: "GET", query: "?grant_type=client_credentials" });
    assert.ok([404, 405].includes(status), String(status));
  },
  "a refusal is JSON that nobody stores": async (s) => {
    const { headers, body } = await s.exchange("nonsense");
    assert.match(headers.get("content-type") ?? "", /^application\/json/);
    assert.match(headers.get("cache-control") ?? "", /no-store/);
    assert.deepEqual(Object.keys(body).filter((name) => !["error", "error_description", "error_uri"].includes(name)), []);
    assert.match(body.error_description ?? "", /^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/);
  },
};

/** @type {Record<string, (s: Subject) => Promise<unknown>>} */
export const authentication = {
  "a wrong secret in a header is 401 with a challenge": async (s) => {
    const answer = await s.exchange(await s.code(), {}, { client: { ...s.clients.web, client_secret: "wrong" } });
    assertRefused(answer, 401, "invalid_client");
    assert.match(answer.headers.get("www-authenticate") ?? "", /^Basic/i);
  },
  "a wrong secret in the body is invalid_client": async (s) =>
    assertRefused(await s.exchange("x", {}, { client: { ...s.clients.post, client_secret: "wrong" } }), [400, 401], "invalid_client"),
  "a client that nobody knows is invalid_client": async (s) =>
    assertRefused(await s.exchange("x", {}, { client: { ...s.clients.web, client_id: NOBODY } }), [400, 401], "invalid_client"),
  "a secret that is left out is invalid_client": async (s) => assertRefused(await s.exchange("x", {}, { as: "none" }), [400, 401], "invalid_client"),
  "no client at all is refused": async (s) =>
    assertRefused(await s.token(s.clients.page, { client_id: undefined, grant_type: "authorization_code", code: "x" }), [400, 401], ["invalid_client", "invalid_request"]),
  "two ways at once are refused": async (s) => {
    const { client_id, client_secret } = s.clients.web;
    assertRefused(await s.exchange("x", { client_id, client_secret }), [400, 401], ["invalid_request", "invalid_client"]);
  },
  "another way than the registered one is refused": async (s) => {
    assertRefused(await s.exchange("x", {}, { as: "post" }), [400, 401], "invalid_client");
    assertRefused(await s.exchange("x", {}, { client: s.clients.post, as: "basic" }), [400, 401], "invalid_client");
  },
  "credentials that cannot be read are refused": async (s) => {
    for (const authorization of ["Basic", "Basic !!!", `Basic ${Buffer.from("nocolon").toString("base64")}`, `Basic ${Buffer.from("%:%").toString("base64")}`]) {
      assertRefused(await s.exchange("x", {}, { as: "none", headers: { authorization } }), [400, 401], ["invalid_client", "invalid_request"]);
    }
  },
  "a client id beside the header must be the same": async (s) =>
    assertRefused(await s.exchange("x", { client_id: s.clients.other.client_id }), [400, 401], ["invalid_client", "invalid_request"]),
};

/** @type {Record<string, (s: Subject) => Promise<unknown>>} */
export const grants = {
  "a client gets a token for itself, with no refresh token and no ID token": async (s) => {
    const { status, body } = await s.token(s.clients.service, { grant_type: "client_credentials", scope: "a" });
    assert.deepEqual([status, body.scope, body.refresh_token, body.id_token], [200, "a", undefined, undefined]);
  },
  "a scope that the client is not registered for is invalid": async (s) =>
    assertRefused(await s.token(s.clients.service, { grant_type: "client_credentials", scope: "a b" }), 400, "invalid_scope"),
  "a refresh token is rotated": async (s) => {
    const { refresh_token, access_token } = await s.tokens();
    const { status, body } = await s.refresh(refresh_token);
    assert.equal(status, 200);
    assert.notEqual(body.refresh_token, refresh_token);
    assert.notEqual(body.access_token, access_token);
  },
  "a refresh token from before the last ends the family": async (s) => {
    const first = await s.tokens();
    const second = (await s.refresh(first.refresh_token)).body;
    const third = (await s.refresh(second.refresh_token)).body;
    assertRefused(await s.refresh(first.refresh_token), 400, "invalid_grant");
    assertRefused(await s.refresh(third.refresh_token), 400, "invalid_grant");
    assert.equal(await s.active(third.access_token), false);
  },
  "a retry gets the same successor, because an answer can be lost": async (s) => {
    const { refresh_token } = await s.tokens();
    const [first, again] = [await s.refresh(refresh_token), await s.refresh(refresh_token)];
    assert.deepEqual([again.status, again.body.refresh_token], [200, first.body.refresh_token]);
  },
  "a refresh may ask for less, and never for more": async (s) => {
    const { refresh_token } = await s.tokens({ scope: "openid profile" });
    const less = await s.refresh(refresh_token, { scope: "openid" });
    assert.deepEqual([less.status, less.body.scope], [200, "openid"]);
    assertRefused(await s.refresh(less.body.refresh_token, { scope: "openid profile email" }), 400, "invalid_scope");
  },
  "a refresh token of another client is invalid": async (s) => {
    const { refresh_token } = await s.tokens();
    assertRefused(await s.refresh(refresh_token, {}, s.clients.other), 400, "invalid_grant");
    assert.equal((await s.refresh(refresh_token)).status, 200);
  },
  "a refresh token that nobody issued is invalid": async (s) => assertRefused(await s.refresh("nonsense"), 400, "invalid_grant"),
  "without a refresh token the request is invalid": async (s) => assertRefused(await s.token(s.clients.web, { grant_type: "refresh_token" }), 400, "invalid_request"),
  "an access token is no refresh token": async (s) => assertRefused(await s.refresh((await s.tokens()).access_token), 400, "invalid_grant"),
};

/** @type {Record<string, (s: Subject) => Promise<unknown>>} */
export const identity = {
  "an ID token is signed by a published key, for the client, with the nonce": async (s) => {
    const nonce = "n-0S6_WzA2Mj";
    const { id_token } = await s.tokens({ nonce });
    const { payload } = await jwtVerify(id_token, createRemoteJWKSet(new URL(s.metadata.jwks_uri)), {
      issuer: s.issuer,
      audience: s.clients.web.client_id,
      requiredClaims: ["sub", "iat", "exp"],
    });
    assert.equal(payload.nonce, nonce);
  },
  "an ID token has no nonce where none was sent": async (s) => {
    const { id_token } = await s.tokens();
    assert.equal("nonce" in claims(id_token), false);
  },
  "without the scope openid there is no ID token": async (s) => {
    const { status, body } = await s.exchange(await s.code({ scope: "profile" }));
    assert.deepEqual([status, body.id_token], [200, undefined]);
  },
  "a renewed ID token is about the same person, of the same sign-in": async (s) => {
    const first = await s.tokens({ max_age: "3600" });
    const { body } = await s.refresh(first.refresh_token);
    const [before, after] = [claims(first.id_token), claims(body.id_token)];
    assert.deepEqual([after.iss, after.sub, after.aud, after.auth_time], [before.iss, before.sub, before.aud, before.auth_time]);
  },
};

/** @param {string} jwt */
function claims(jwt) {
  return JSON.parse(String(Buffer.from(jwt.split(".")[1], "base64url")));
}
