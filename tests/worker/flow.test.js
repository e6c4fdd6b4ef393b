// @ts-check
// The whole path, walked by a client library that we did not write and a browser without JavaScript.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from "jose";
import * as oidc from "openid-client";
import { ADMINISTRATOR, CALLBACK, api, ask, authorizeUrl, browser, code, exchange, formOf, made, read, refresh, register, serve, serveReady } from "./support.js";

const RESOURCE = "https://api.example/";
const ALGORITHMS = ["EdDSA", "ES256", "RS256"];

describe("the whole path", () => {
  /** @type {import("./support.js").Server} */
  let server;
  before(async () => {
    server = await serveReady();
  });
  after(() => server.stop());

  /** @param {import("./support.js").Client} client */
  function discover(client) {
    const metadata = { id_token_signed_response_alg: client.id_token_signed_response_alg };
    const authentication =
      client.token_endpoint_auth_method === "none"
        ? oidc.None()
        : client.token_endpoint_auth_method === "client_secret_post"
          ? oidc.ClientSecretPost(client.client_secret)
          : oidc.ClientSecretBasic(client.client_secret);
    return oidc.discovery(new URL(server.url), client.client_id, metadata, authentication, {
      execute: [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks],
    });
  }

  /**
   * @param {oidc.Configuration} config
   * @param {ReturnType<typeof browser>} visitor
   * @param {Record<string, string>} [more]
   */
  async function signIn(config, visitor, more = {}) {
    const pkceCodeVerifier = oidc.randomPKCECodeVerifier();
    const [expectedState, expectedNonce] = [oidc.randomState(), oidc.randomNonce()];
    const url = oidc.buildAuthorizationUrl(config, {
      redirect_uri: CALLBACK,
      scope: "openid profile email offline_access",
      code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: "S256",
      state: expectedState,
      nonce: expectedNonce,
      ...more,
    });
    const { location, pages } = await visitor.walk(url);
    assert.ok(location);
    assert.equal(location.searchParams.get("iss"), server.url);
    const tokens = await oidc.authorizationCodeGrant(config, location, {
      pkceCodeVerifier,
      expectedState,
      expectedNonce,
      idTokenExpected: true,
    });
    return { tokens, pages };
  }

  for (const access_token_format of ["sealed", "jwt"]) {
    for (const algorithm of ALGORITHMS) {
      test(`openid-client signs in, refreshes and revokes: ${access_token_format} access tokens, ${algorithm}`, async () => {
        const client = await register(server, {
          access_token_format,
          id_token_signed_response_alg: algorithm,
          default_resource: RESOURCE,
          implicit_consent: false,
        });
        const config = await discover(client);
        const { tokens, pages } = await signIn(config, browser(server));
        assert.deepEqual(pages, ["/login", "/consent"]);

        const claims = tokens.claims();
        assert.ok(claims && tokens.refresh_token && tokens.id_token);
        assert.equal(claims.preferred_username, ADMINISTRATOR.username);
        assert.deepEqual(claims.amr, ["pwd"]);
        assert.equal(typeof claims.auth_time, "number");
        assert.equal(decodeProtectedHeader(tokens.id_token).alg, algorithm);
        assert.equal(tokens.access_token.split(".").length, access_token_format === "jwt" ? 3 : 1);

        const person = await oidc.fetchUserInfo(config, tokens.access_token, claims.sub);
        assert.equal(person.preferred_username, ADMINISTRATOR.username);

        const known = await oidc.tokenIntrospection(config, tokens.access_token);
        assert.deepEqual(
          [known.active, known.aud, known.sub, known.client_id, known.token_type, known.iss],
          [true, RESOURCE, claims.sub, client.client_id, "Bearer", server.url],
        );

        const renewed = await oidc.refreshTokenGrant(config, tokens.refresh_token);
        assert.notEqual(renewed.refresh_token, tokens.refresh_token);
        assert.equal(renewed.claims()?.sub, claims.sub);
        assert.equal(renewed.claims()?.auth_time, claims.auth_time);

        await oidc.tokenRevocation(config, renewed.access_token);
        assert.deepEqual(await oidc.tokenIntrospection(config, renewed.access_token), { active: false });
        assert.equal((await oidc.tokenIntrospection(config, tokens.access_token)).active, true);

        await oidc.tokenRevocation(config, /** @type {string} */ (renewed.refresh_token));
        assert.deepEqual(await oidc.tokenIntrospection(config, tokens.access_token), { active: false });
        await assert.rejects(oidc.refreshTokenGrant(config, /** @type {string} */ (renewed.refresh_token)), { error: "invalid_grant" });
        await assert.rejects(oidc.fetchUserInfo(config, tokens.access_token, claims.sub), { status: 401 });
      });

      test(`openid-client gets a token for a client itself: ${access_token_format}, ${algorithm}`, async () => {
        const client = await register(server, {
          access_token_format,
          id_token_signed_response_alg: algorithm,
          grant_types: ["client_credentials"],
          redirect_uris: [],
          scope: "a b",
          resources: [RESOURCE],
          token_endpoint_auth_method: "client_secret_post",
        });
        const config = await discover(client);
        const tokens = await oidc.clientCredentialsGrant(config, { scope: "a", resource: RESOURCE });
        assert.equal(tokens.refresh_token, undefined);
        assert.equal(tokens.scope, "a");
        const known = await oidc.tokenIntrospection(config, tokens.access_token);
        assert.deepEqual([known.active, known.scope, known.sub, known.aud], [true, "a", client.client_id, RESOURCE]);
        await assert.rejects(oidc.clientCredentialsGrant(config, { scope: "a c" }), { error: "invalid_scope" });
        await assert.rejects(oidc.clientCredentialsGrant(config, { resource: "https://other.example/" }), { error: "invalid_target" });
      });
    }
  }

  test("jose accepts JWT access tokens by the JWKS, as RFC 9068 writes them", async () => {
    const keys = createRemoteJWKSet(new URL(`${server.url}/.well-known/jwks.json`));
    for (const algorithm of ALGORITHMS) {
      const client = await register(server, {
        access_token_format: "jwt",
        id_token_signed_response_alg: algorithm,
        default_resource: RESOURCE,
        access_token_lifetime: 60,
      });
      const { tokens } = await signIn(await discover(client), browser(server));
      const { payload, protectedHeader } = await jwtVerify(tokens.access_token, keys, {
        issuer: server.url,
        audience: RESOURCE,
        typ: "at+jwt",
        algorithms: [algorithm],
        requiredClaims: ["sub", "client_id", "iat", "exp", "jti", "scope"],
      });
      assert.equal(protectedHeader.alg, algorithm);
      assert.equal(payload.client_id, client.client_id);
      assert.equal(Number(payload.exp) - Number(payload.iat), 60);
      assert.equal(tokens.expires_in, 60);
    }
  });

  test("a public client signs in with PKCE alone, and is asked about every time on loopback", async () => {
    const client = await register(server, { token_endpoint_auth_method: "none", implicit_consent: false });
    const config = await discover(client);
    const visitor = browser(server);
    assert.deepEqual((await signIn(config, visitor)).pages, ["/login", "/consent"]);
    const { tokens, pages } = await signIn(config, visitor);
    assert.deepEqual(pages, ["/consent"]);
    assert.ok(await oidc.refreshTokenGrant(config, /** @type {string} */ (tokens.refresh_token)));
  });

  test("an answer to the consent question is remembered for an https client, and asked again for more", async () => {
    const client = await register(server, {
      token_endpoint_auth_method: "none",
      implicit_consent: false,
      redirect_uris: ["https://spa.example/callback"],
    });
    const visitor = browser(server);
    assert.deepEqual((await visitor.walk(authorizeUrl(server, client, { scope: "openid" }))).pages, ["/login", "/consent"]);
    assert.deepEqual((await visitor.walk(authorizeUrl(server, client, { scope: "openid" }))).pages, []);
    assert.deepEqual((await visitor.walk(authorizeUrl(server, client, { scope: "openid profile" }))).pages, ["/consent"]);
    assert.deepEqual((await visitor.walk(authorizeUrl(server, client, { scope: "openid", prompt: "consent" }))).pages, ["/consent"]);
    const silent = await visitor.walk(authorizeUrl(server, client, { scope: "openid", prompt: "none" }));
    assert.ok(silent.location?.searchParams.get("code"));
  });

  test("who says no is sent back without a code", async () => {
    const client = await register(server, { implicit_consent: false });
    const { location } = await browser(server).walk(authorizeUrl(server, client, { state: "s t&=é" }), { decision: "deny" });
    assert.ok(location?.href.startsWith(CALLBACK));
    assert.equal(location.searchParams.get("error"), "access_denied");
    assert.equal(location.searchParams.get("state"), "s t&=é");
    assert.equal(location.searchParams.get("iss"), server.url);
    assert.equal(location.searchParams.has("code"), false);
  });

  test("AZ-1: a request by POST ends where the same one by GET does", async () => {
    const client = await register(server);
    const visitor = browser(server);
    const form = Object.fromEntries(authorizeUrl(server, client, { state: "by-post" }).searchParams);
    const foreign = { origin: "https://client.example", "sec-fetch-site": "cross-site" };
    for (const pages of [["/login"], []]) {
      const first = await visitor.go("/oauth/authorize", { form, headers: foreign });
      assert.equal(first.status, 303);
      const target = new URL(/** @type {string} */ (first.headers.get("location")));
      assert.deepEqual([target.origin, target.pathname], [server.url, "/oauth/authorize"]);
      const walked = await visitor.walk(target);
      assert.deepEqual(walked.pages, pages);
      assert.equal(walked.location?.searchParams.get("state"), "by-post");
      const { status } = await exchange(server, client, walked.location?.searchParams.get("code") ?? "");
      assert.equal(status, 200);
    }
  });

  test("prompt, max_age and id_token_hint say whether somebody signs in again", async () => {
    const client = await register(server);
    const visitor = browser(server);
    const error = async (/** @type {Record<string, string>} */ more) =>
      (await visitor.walk(authorizeUrl(server, client, more))).location?.searchParams.get("error");
    assert.equal(await error({ prompt: "none" }), "login_required");
    const { body } = await exchange(server, client, await code(server, visitor, client));
    assert.equal(await error({ prompt: "none" }), null);
    assert.equal(await error({ prompt: "none", id_token_hint: body.id_token }), null);
    assert.equal(await error({ prompt: "none login" }), "invalid_request");
    const pages = async (/** @type {Record<string, string>} */ more) => (await visitor.walk(authorizeUrl(server, client, more))).pages;
    assert.deepEqual(await pages({ prompt: "login" }), ["/login"]);
    assert.deepEqual(await pages({ max_age: "86400" }), []);
  });

  test("a wrong password is told on the page, and the same page takes the right one", async () => {
    const client = await register(server);
    const visitor = browser(server);
    const wrong = await visitor.walk(authorizeUrl(server, client), { password: "not the password" });
    assert.equal(wrong.location, undefined);
    assert.deepEqual([wrong.last.status, wrong.pages], [403, ["/login"]]);
    const form = formOf(wrong.last.text);
    assert.ok(form);
    const right = await visitor.go(form.action, { form: { ...form.hidden, ...ADMINISTRATOR } });
    assert.ok(right.headers.get("location")?.startsWith(CALLBACK));
    const again = await visitor.go(form.action, { form: { ...form.hidden, ...ADMINISTRATOR } });
    assert.equal(again.headers.get("location"), null);
  });

  test("S1.10: signing out ends the session and the tokens bound to it, and leads back to the client", async () => {
    const departure = "https://client.example/bye";
    const client = await register(server, { post_logout_redirect_uris: [departure] });
    const visitor = browser(server);
    const { body: bound } = await exchange(server, client, await code(server, visitor, client, { scope: "openid" }));
    const { body: offline } = await exchange(server, client, await code(server, visitor, client));
    const url = new URL("/logout", server.url);
    url.search = new URLSearchParams({
      client_id: client.client_id,
      id_token_hint: bound.id_token,
      post_logout_redirect_uri: departure,
      state: "bye",
    }).toString();
    const left = await visitor.walk(url);
    assert.deepEqual([left.location?.href, left.pages], [`${departure}?state=bye`, []]);
    const active = async (/** @type {string} */ token) => (await ask(server, "/oauth/introspect", client, { token })).body.active;
    assert.equal(await active(bound.access_token), false);
    assert.equal((await refresh(server, client, bound.refresh_token)).body.error, "invalid_grant");
    assert.equal(await active(offline.access_token), true);
    assert.equal((await refresh(server, client, offline.refresh_token)).status, 200);
    const silent = await visitor.walk(authorizeUrl(server, client, { prompt: "none" }));
    assert.equal(silent.location?.searchParams.get("error"), "login_required");
  });

  test("S4.6: openid-client ends the session at the endpoint that the metadata names, and is asked nothing", async () => {
    const departure = "https://client.example/bye";
    const client = await register(server, { post_logout_redirect_uris: [departure] });
    const config = await discover(client);
    const visitor = browser(server);
    const { tokens } = await signIn(config, visitor, { scope: "openid" });
    assert.ok(tokens.id_token);
    const state = oidc.randomState();
    const more = { id_token_hint: tokens.id_token, post_logout_redirect_uri: departure, state };
    const url = oidc.buildEndSessionUrl(config, more);
    assert.equal(url.pathname, "/oauth/logout");
    const left = await visitor.walk(url);
    assert.deepEqual([left.location?.href, left.pages], [`${departure}?state=${state}`, []]);
    assert.equal(visitor.cookies.has("edgemint-session"), false);
    assert.deepEqual(await oidc.tokenIntrospection(config, tokens.access_token), { active: false });
    const silent = await visitor.walk(authorizeUrl(server, client, { prompt: "none" }));
    assert.equal(silent.location?.searchParams.get("error"), "login_required");

    // By a form, from the application's own site: without the session cookie, and led to it.
    const again = await signIn(config, visitor, { scope: "openid" });
    const form = { ...more, id_token_hint: again.tokens.id_token ?? "", client_id: client.client_id };
    const posted = await browser(server).go("/oauth/logout", { form, headers: { origin: "https://client.example", "sec-fetch-site": "cross-site" } });
    assert.equal(posted.status, 303, posted.text);
    const sent = await visitor.walk(new URL(posted.headers.get("location") ?? ""));
    assert.equal(sent.location?.href, `${departure}?state=${state}`);
    assert.deepEqual(await oidc.tokenIntrospection(config, again.tokens.access_token), { active: false });

    // Without a hint it asks; nobody is led to what is not registered.
    const third = await signIn(config, visitor, { scope: "openid" });
    const asks = await visitor.go(oidc.buildEndSessionUrl(config, { post_logout_redirect_uri: departure }));
    assert.deepEqual([asks.status, formOf(asks.text)?.action], [200, "/logout"]);
    const elsewhere = await visitor.go(oidc.buildEndSessionUrl(config, { ...more, id_token_hint: third.tokens.id_token ?? "", post_logout_redirect_uri: `${departure}?foo=bar` }));
    assert.deepEqual([elsewhere.status, elsewhere.headers.get("location")], [400, null]);
    assert.equal((await oidc.tokenIntrospection(config, third.tokens.access_token)).active, true);
  });

  test("S4.6: an application that is an issuer ends sessions at its own endpoint, and only what its flow says", async () => {
    const departure = "https://client.example/bye";
    const flow = await made(server, "flows/", { name: "Leave", slug: "leave", designation: "invalidation", ends: "client" });
    const provider = await made(server, "providers/oauth2/", {
      name: "Shop",
      redirect_uris: CALLBACK,
      post_logout_redirect_uris: departure,
      issuer_mode: "per_provider",
      invalidation_flow: flow.pk,
    });
    await made(server, "applications/", { name: "Shop", slug: "shop", provider: provider.pk });
    const config = await oidc.discovery(new URL(`${server.url}/application/o/shop/`), provider.client_id, {}, oidc.ClientSecretBasic(provider.client_secret), {
      execute: [oidc.allowInsecureRequests],
    });
    const client = await register(server);
    const visitor = browser(server);
    const { body: others } = await exchange(server, client, await code(server, visitor, client, { scope: "openid" }));
    const pkceCodeVerifier = oidc.randomPKCECodeVerifier();
    const challenge = { code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier), code_challenge_method: "S256" };
    const { location } = await visitor.walk(oidc.buildAuthorizationUrl(config, { redirect_uri: CALLBACK, scope: "openid", ...challenge }));
    assert.ok(location);
    const tokens = await oidc.authorizationCodeGrant(config, location, { pkceCodeVerifier, idTokenExpected: true });
    const url = oidc.buildEndSessionUrl(config, { id_token_hint: tokens.id_token ?? "", post_logout_redirect_uri: departure });
    assert.equal(url.pathname, "/application/o/shop/end-session/");
    const left = await visitor.walk(url);
    assert.deepEqual([left.location?.href, left.pages], [departure, []]);
    assert.deepEqual(await oidc.tokenIntrospection(config, tokens.access_token), { active: false });
    const known = await ask(server, "/oauth/introspect", client, { token: others.access_token });
    assert.equal(known.body.active, true);
    assert.ok((await visitor.walk(authorizeUrl(server, client, { prompt: "none" }))).location?.searchParams.get("code"));
    assert.equal((await visitor.go("/application/o/other/end-session/")).status, 404);
  });

  test("without a hint the page asks before it signs out, and only a registered URI is led to", async () => {
    const client = await register(server);
    const visitor = browser(server);
    await code(server, visitor, client);
    const elsewhere = await visitor.walk(`/logout?client_id=${client.client_id}&post_logout_redirect_uri=https://evil.example/`);
    assert.deepEqual([elsewhere.last.status, elsewhere.location], [400, undefined]);
    const asked = await visitor.walk("/logout");
    assert.deepEqual([asked.pages, asked.last.status], [["/logout"], 200]);
    assert.equal(visitor.cookies.has("edgemint-session"), false);
  });

  test("who signs in without an application can sign out on the page that says so", async () => {
    const visitor = browser(server);
    const login = formOf((await visitor.go("/login")).text);
    assert.ok(login);
    const signedIn = await visitor.go(login.action, { form: { ...login.hidden, ...ADMINISTRATOR } });
    assert.equal(signedIn.status, 303);
    const account = await visitor.go(/** @type {string} */ (signedIn.headers.get("location")));
    assert.match(account.text, /signed in as/);
    const form = formOf(account.text, "/logout");
    assert.ok(form);
    const left = await visitor.go(form.action, { form: form.hidden });
    assert.equal(left.status, 200);
    assert.equal(visitor.cookies.has("edgemint-session"), false);
    assert.ok(formOf((await visitor.go("/login")).text)?.hidden.request);
  });

  test("the account page takes back what was agreed to, and the grants that rest on it end", async () => {
    const client = await register(server, { implicit_consent: false, client_name: "Trusted for a day" });
    const visitor = browser(server);
    const { body } = await exchange(server, client, await code(server, visitor, client));
    const account = await visitor.go("/login");
    assert.match(account.text, /Trusted for a day/);
    const form = formOf(account.text.slice(account.text.indexOf("Trusted for a day")), "/consent");
    assert.ok(form);
    assert.equal(form.hidden.client, client.client_id);
    const taken = await visitor.go(form.action, { form: { ...form.hidden, decision: "withdraw" } });
    assert.equal(taken.status, 303);
    assert.doesNotMatch((await visitor.go("/login")).text, /Trusted for a day/);
    assert.equal((await ask(server, "/oauth/introspect", client, { token: body.access_token })).body.active, false);
    assert.equal((await refresh(server, client, body.refresh_token)).body.error, "invalid_grant");
    assert.deepEqual((await visitor.walk(authorizeUrl(server, client))).pages, ["/consent"]);
  });

  test("a form without its own value, from another browser or from another site does nothing", async () => {
    const client = await register(server);
    const [visitor, other] = [browser(server), browser(server)];
    const { headers } = await visitor.go(authorizeUrl(server, client));
    const form = formOf((await visitor.go(/** @type {string} */ (headers.get("location")))).text);
    assert.ok(form);
    const filled = { ...form.hidden, ...ADMINISTRATOR };
    await other.go("/login");
    for (const refused of [
      await visitor.go("/login", { form: { ...filled, csrf: "" } }),
      await other.go("/login", { form: filled }),
      await visitor.go("/login", { form: filled, headers: { "sec-fetch-site": "cross-site" } }),
      await visitor.go("/login", { form: filled, headers: { origin: "https://evil.example" } }),
    ]) {
      assert.deepEqual([refused.status, refused.headers.get("location")], [400, null]);
    }
    assert.equal((await visitor.go("/login", { form: filled })).status, 303);
  });

  test("signing keys are rotated without a token or a library noticing", async () => {
    const client = await register(server, { access_token_format: "jwt" });
    const visitor = browser(server);
    const config = await discover(client);
    const { tokens } = await signIn(config, visitor);
    const before = (await read(await fetch(`${server.url}/.well-known/jwks.json`))).body.keys;
    assert.equal((await api(server, "/api/v1/keys/rotate", {})).status, 200);
    const after = (await read(await fetch(`${server.url}/.well-known/jwks.json`))).body.keys;
    const kids = (/** @type {{ kid: string }[]} */ keys) => keys.map(({ kid }) => kid).sort();
    assert.equal(new Set(kids(after)).size, 2 * before.length);
    for (const kid of kids(before)) assert.ok(kids(after).includes(kid));
    for (const key of after) assert.deepEqual(["d", "p", "q", "dp", "dq", "qi", "k"].filter((part) => part in key), []);
    // The successor is published before its first use, so that copies of the set have it by then.
    assert.equal(decodeProtectedHeader((await signIn(config, visitor)).tokens.access_token).kid, decodeProtectedHeader(tokens.access_token).kid);
    assert.equal((await oidc.tokenIntrospection(config, tokens.access_token)).active, true);
  });
});

describe("a deployment", () => {
  test("says on /login that it is not ready until it has an administrator, and then is", async () => {
    const server = await serve({ bindings: { LOCAL: "", ISSUER: "https://id.example" } });
    try {
      const before = await read(await fetch(`${server.url}/login`));
      assert.equal(before.status, 503);
      assert.match(before.text, /\/api\/v1\/first-run/);
      const stranger = await fetch(`${server.url}/api/v1/first-run`, { method: "POST", headers: { authorization: "Bearer guess" }, body: "{}" });
      assert.equal(stranger.status, 401);
      assert.equal((await api(server, "/api/v1/first-run", ADMINISTRATOR)).status, 201);
      const page = await fetch(`${server.url}/login`);
      assert.equal(page.status, 200);
      assert.match(page.headers.get("set-cookie") ?? "", /^__Host-[^;]*; Path=\/; HttpOnly; SameSite=Lax; Max-Age=\d+; Secure$/);
    } finally {
      await server.stop();
    }
  });

  for (const [name, bindings] of /** @type {[string, Record<string, string>][]} */ ([
    ["ROOT_SECRETS", { ROOT_SECRETS: "" }],
    ["ROOT_SECRETS", { ROOT_SECRETS: "too short" }],
    ["BOOTSTRAP_TOKEN", { BOOTSTRAP_TOKEN: "too short" }],
    ["ISSUER", { ISSUER: "http://id.example" }],
  ])) {
    test(`OPS-2: refuses to serve with ${JSON.stringify(bindings)}, and logs what to do`, async () => {
      const server = await serve({ bindings });
      try {
        const answer = await read(await fetch(`${server.url}/.well-known/openid-configuration`));
        assert.deepEqual([answer.status, answer.body.error], [503, "temporarily_unavailable"]);
        assert.match(server.lines.join("\n"), new RegExp(`"refusing_to_serve":"${name}"`));
        if (bindings[name]) assert.equal(server.lines.join("\n").includes(bindings[name]), false);
      } finally {
        await server.stop();
      }
    });
  }
});
