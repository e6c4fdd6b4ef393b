// @ts-check
// What becomes of a token: introspection, revocation, UserInfo. RFC 7662, 7009, 6750, OpenID Connect Core §5.3.
import assert from "node:assert/strict";
import { assertRefused } from "../subjects/subject.js";

/** @typedef {import("../subjects/subject.js").Subject} Subject @type {Record<string, (s: Subject) => Promise<unknown>>} */
export const introspection = {
  "an access token that lives is active, and says whose it is": async (s) => {
    const { access_token } = await s.tokens({ scope: "openid profile" });
    const { status, headers, body } = await s.introspect(access_token);
    assert.deepEqual([status, body.active, body.client_id, body.iss], [200, true, s.clients.web.client_id, s.issuer]);
    assert.deepEqual(body.scope.split(" ").sort(), ["openid", "profile"]);
    assert.ok(body.exp > body.iat && typeof body.sub === "string");
    assert.match(headers.get("content-type") ?? "", /^application\/json/);
    assert.match(headers.get("cache-control") ?? "", /no-store/);
  },
  "a refresh token that lives is active": async (s) => assert.equal(await s.active((await s.tokens()).refresh_token), true),
  "a client's own token is active": async (s) => {
    const { body } = await s.token(s.clients.service, { grant_type: "client_credentials", scope: "a" });
    assert.equal(await s.active(body.access_token, s.clients.service), true);
  },
  "what is no token is inactive, and nothing more is said": async (s) => {
    for (const token of ["nonsense", "a.b.c", "é", "x".repeat(4000)]) {
      const { status, body } = await s.introspect(token);
      assert.deepEqual([status, body], [200, { active: false }]);
    }
  },
  "a code is inactive": async (s) => assert.deepEqual((await s.introspect(await s.code())).body, { active: false }),
  "a token of another client is inactive, and nothing more is said": async (s) =>
    assert.deepEqual((await s.introspect((await s.tokens()).access_token, {}, s.clients.other)).body, { active: false }),
  "a hint that is wrong or unknown is only a hint": async (s) => {
    const { access_token, refresh_token } = await s.tokens();
    for (const token_type_hint of ["refresh_token", "access_token", "nonsense", ""]) {
      for (const token of [access_token, refresh_token]) assert.equal((await s.introspect(token, { token_type_hint })).body.active, true);
    }
  },
  "without a token the request is invalid": async (s) => assertRefused(await s.introspect("", { token: undefined }), 400, "invalid_request"),
  "two tokens are refused": async (s) =>
    assertRefused(await s.ask("introspection_endpoint", s.clients.web, {}, { body: "token=a&token=b" }), 400, "invalid_request"),
  "a wrong secret introspects nothing": async (s) =>
    assertRefused(await s.introspect("x", {}, { ...s.clients.web, client_secret: "wrong" }), 401, "invalid_client"),
  "who is nobody introspects nothing": async (s) =>
    assertRefused(await s.ask("introspection_endpoint", s.clients.page, { client_id: undefined, token: "x" }), [400, 401], ["invalid_client", "invalid_request"]),
  "an id that anybody can know introspects nothing": async (s) =>
    assertRefused(await s.introspect((await s.tokens({}, s.clients.page)).access_token, {}, s.clients.page), [400, 401], ["invalid_client", "unauthorized_client"]),
  "GET introspects nothing": async (s) => {
    const { status } = await s.ask("introspection_endpoint", s.clients.web, {}, { method: "GET", query: "?token=x" });
    assert.ok([404, 405].includes(status), String(status));
  },
};

/** @type {Record<string, (s: Subject) => Promise<unknown>>} */
export const revocation = {
  "an access token that was revoked is dead": async (s) => {
    const { access_token } = await s.tokens();
    assert.equal((await s.revoke(access_token)).status, 200);
    assert.deepEqual((await s.introspect(access_token)).body, { active: false });
    assert.equal((await s.userinfo(access_token)).status, 401);
  },
  "a refresh token that was revoked is dead, and so are the access tokens of its grant": async (s) => {
    const { access_token, refresh_token } = await s.tokens();
    assert.equal((await s.revoke(refresh_token)).status, 200);
    assertRefused(await s.refresh(refresh_token), 400, "invalid_grant");
    assert.equal(await s.active(access_token), false);
  },
  "an access token that was revoked takes no refresh token along": async (s) => {
    const { access_token, refresh_token } = await s.tokens();
    await s.revoke(access_token);
    assert.equal((await s.refresh(refresh_token)).status, 200);
  },
  "the answer has no body, and no type for it": async (s) => {
    const { status, headers, text } = await s.revoke((await s.tokens()).access_token);
    assert.deepEqual([status, text, headers.get("content-type")], [200, "", null]);
  },
  "what is no token is revoked already": async (s) => {
    for (const token of ["nonsense", "a.b.c", "x".repeat(4000)]) assert.equal((await s.revoke(token)).status, 200);
  },
  "revoking twice is as good as once": async (s) => {
    const { access_token } = await s.tokens();
    for (let times = 0; times < 2; times += 1) assert.equal((await s.revoke(access_token)).status, 200);
  },
  "a token of another client is not revoked": async (s) => {
    const { access_token, refresh_token } = await s.tokens();
    for (const token of [access_token, refresh_token]) {
      assert.ok([200, 400].includes((await s.revoke(token, {}, s.clients.other)).status));
      assert.equal(await s.active(token), true);
    }
  },
  "a public client revokes its own": async (s) => {
    const { refresh_token } = await s.tokens({}, s.clients.page);
    assert.equal((await s.revoke(refresh_token, {}, s.clients.page)).status, 200);
    assertRefused(await s.refresh(refresh_token, {}, s.clients.page), 400, "invalid_grant");
  },
  "a wrong hint is only a hint to revocation, too": async (s) => {
    const { refresh_token } = await s.tokens();
    assert.equal((await s.revoke(refresh_token, { token_type_hint: "access_token" })).status, 200);
    assert.equal(await s.active(refresh_token), false);
  },
  "without a token there is nothing to revoke": async (s) => assertRefused(await s.revoke("", { token: undefined }), 400, "invalid_request"),
  "a wrong secret revokes nothing": async (s) => {
    const { access_token } = await s.tokens();
    assertRefused(await s.revoke(access_token, {}, { ...s.clients.web, client_secret: "wrong" }), 401, "invalid_client");
    assert.equal(await s.active(access_token), true);
  },
};

/** @type {Record<string, (s: Subject) => Promise<unknown>>} */
export const userinfo = {
  "by GET and by POST it says who the ID token is about": async (s) => {
    const { access_token, id_token } = await s.tokens();
    const { sub } = JSON.parse(String(Buffer.from(id_token.split(".")[1], "base64url")));
    for (const method of ["GET", "POST"]) {
      const { status, headers, body } = await s.userinfo(access_token, { method });
      assert.deepEqual([status, body.sub], [200, sub]);
      assert.match(headers.get("content-type") ?? "", /^application\/json/);
    }
  },
  "a scope brings its claims, and only that": async (s) => {
    assert.equal((await s.userinfo((await s.tokens({ scope: "openid profile" })).access_token)).body.name !== undefined, true);
    assert.equal("name" in (await s.userinfo((await s.tokens()).access_token)).body, false);
  },
  "without a token it is 401 with a bare challenge": async (s) => {
    const { status, headers } = await s.userinfo(undefined);
    assert.equal(status, 401);
    assert.match(headers.get("www-authenticate") ?? "", /^Bearer/);
    assert.doesNotMatch(headers.get("www-authenticate") ?? "", /error=/);
  },
  "what is no token is 401 invalid_token": async (s) => {
    const { status, headers } = await s.userinfo("nonsense");
    assert.equal(status, 401);
    assert.match(headers.get("www-authenticate") ?? "", /^Bearer .*error="invalid_token"/);
  },
  "a refresh token is no access token": async (s) => assert.equal((await s.userinfo((await s.tokens()).refresh_token)).status, 401),
  "an ID token is no access token": async (s) => assert.equal((await s.userinfo((await s.tokens()).id_token)).status, 401),
  "a token in the query is not read": async (s) => {
    const { access_token } = await s.tokens();
    assert.ok([400, 401].includes((await s.userinfo(undefined, { query: `?access_token=${access_token}` })).status));
  },
  "a token in the body is not read": async (s) => {
    const { access_token } = await s.tokens();
    assert.ok([400, 401].includes((await s.userinfo(undefined, { method: "POST", form: { access_token } })).status));
  },
  "a token twice is refused": async (s) => {
    const { access_token } = await s.tokens();
    assert.equal((await s.userinfo(access_token, { method: "POST", form: { access_token } })).status, 400);
  },
  "a token without openid is 403 insufficient_scope": async (s) => {
    const { body } = await s.exchange(await s.code({ scope: "profile" }));
    const { status, headers } = await s.userinfo(body.access_token);
    assert.equal(status, 403);
    assert.match(headers.get("www-authenticate") ?? "", /error="insufficient_scope"/);
  },
  "a client's own token is about nobody": async (s) => {
    const { body } = await s.token(s.clients.service, { grant_type: "client_credentials", scope: "a" });
    assert.ok([401, 403].includes((await s.userinfo(body.access_token)).status));
  },
};
