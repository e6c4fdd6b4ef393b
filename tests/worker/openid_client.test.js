// @ts-check
// openid-client from its own registration on: each way in which a client may prove itself, each grant, and each response
// type that it has a function for. What else it can do, and is not offered here, it is told in a way that it understands.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { exportJWK, generateKeyPair } from "jose";
import * as oidc from "openid-client";
import { ADMINISTRATOR, BOOTSTRAP_TOKEN, CALLBACK, answerDevice, browser, code, register, serveReady, told } from "./support.js";

const DEVICE = "urn:ietf:params:oauth:grant-type:device_code";
const DEPARTURE = "https://client.example/bye";
const SCOPE = "openid profile email offline_access";
const EXECUTE = [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks];

describe("openid-client", () => {
  /** @type {import("./support.js").Server} */
  let server;
  /** @type {ReturnType<typeof browser>} somebody who is signed in */
  let visitor;
  /** @type {{ privateKey: import("jose").CryptoKey, jwk: import("jose").JWK }} */
  let key;

  before(async () => {
    // Only where registration is open do the metadata name its endpoint, and there the library looks. The token
    // is still what vouches: without it `implicit_consent` would have no effect.
    server = await serveReady({ bindings: { EDGEMINT_DANGER_OPEN_REGISTRATION: "1" } });
    visitor = browser(server);
    await code(server, visitor, await register(server));
    const { privateKey, publicKey } = await generateKeyPair("ES256");
    key = { privateKey, jwk: { ...(await exportJWK(publicKey)), kid: "own", alg: "ES256", use: "sig" } };
  });
  after(() => server.stop());

  /** @type {Record<string, () => oidc.ClientAuth>} */
  const methods = {
    client_secret_basic: () => oidc.ClientSecretBasic(),
    client_secret_post: () => oidc.ClientSecretPost(),
    private_key_jwt: () => oidc.PrivateKeyJwt({ key: key.privateKey, kid: key.jwk.kid }),
    client_secret_jwt: () => oidc.ClientSecretJwt(),
    none: () => oidc.None(),
  };

  /** @param {string} method @param {string} [initialAccessToken] */
  function registerAs(method, initialAccessToken = BOOTSTRAP_TOKEN) {
    const metadata = {
      client_name: "Somebody else's",
      token_endpoint_auth_method: method,
      redirect_uris: [CALLBACK],
      post_logout_redirect_uris: [DEPARTURE],
      grant_types: ["authorization_code", "refresh_token", "implicit", DEVICE, ...(method === "none" ? [] : ["client_credentials"])],
      response_types: ["code", "id_token", "code id_token"],
      scope: SCOPE,
      implicit_consent: true,
      ...(method === "private_key_jwt" ? { jwks: { keys: [key.jwk] } } : {}),
      ...(method === "client_secret_jwt" ? { danger_keep_client_secret_readable: true } : {}),
    };
    return oidc.dynamicClientRegistration(new URL(server.url), metadata, methods[method](), { initialAccessToken, execute: EXECUTE });
  }

  /**
   * A request with everything that the library checks afterwards, and its checks.
   *
   * @param {oidc.Configuration} config
   * @param {Record<string, string>} [more]
   */
  async function request(config, more = {}) {
    const pkceCodeVerifier = oidc.randomPKCECodeVerifier();
    const [expectedState, expectedNonce] = [oidc.randomState(), oidc.randomNonce()];
    const url = oidc.buildAuthorizationUrl(config, {
      redirect_uri: CALLBACK,
      scope: SCOPE,
      code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: "S256",
      state: expectedState,
      nonce: expectedNonce,
      max_age: "3600",
      ...more,
    });
    return { url, checks: { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true, maxAge: 3600 } };
  }

  /** @param {oidc.Configuration} config */
  async function signIn(config) {
    const { url, checks } = await request(config);
    return oidc.authorizationCodeGrant(config, await told(visitor, url), checks);
  }

  for (const method of Object.keys(methods)) {
    describe(`by ${method}`, () => {
      /** @type {oidc.Configuration} */
      let config;
      before(async () => {
        config = await registerAs(method);
      });

      test("registers itself by the bootstrap token, and reads what was made of that", () => {
        const { token_endpoint_auth_method, client_secret, redirect_uris, response_types } = config.clientMetadata();
        assert.equal(token_endpoint_auth_method, method);
        assert.equal(typeof client_secret, method.startsWith("client_secret") ? "string" : "undefined");
        assert.deepEqual(redirect_uris, [CALLBACK]);
        assert.deepEqual(response_types, ["code", "id_token", "code id_token"]);
      });

      test("signs in by code and PKCE, and finds state, nonce, issuer and age as they should be", async () => {
        const tokens = await signIn(config);
        const claims = tokens.claims();
        assert.ok(claims);
        const person = await oidc.fetchUserInfo(config, tokens.access_token, claims.sub);
        assert.equal(person.preferred_username, claims.preferred_username);
        const resource = new URL(config.serverMetadata().userinfo_endpoint ?? "");
        const answer = await oidc.fetchProtectedResource(config, tokens.access_token, resource, "POST");
        assert.equal((await answer.json()).sub, claims.sub);
        const refused = oidc.fetchProtectedResource(config, `${tokens.access_token}x`, resource, "GET");
        await assert.rejects(refused, (/** @type {any} */ error) => error instanceof oidc.WWWAuthenticateChallengeError && error.cause[0].parameters.error === "invalid_token");
      });

      test("refreshes, also for less and never for more, until it gives the token up", async () => {
        const tokens = await signIn(config);
        const renewed = await oidc.refreshTokenGrant(config, tokens.refresh_token ?? "");
        assert.equal(renewed.claims()?.sub, tokens.claims()?.sub);
        assert.notEqual(renewed.refresh_token, tokens.refresh_token);
        const less = await oidc.refreshTokenGrant(config, renewed.refresh_token ?? "", { scope: "openid" });
        assert.equal(less.scope, "openid");
        await assert.rejects(oidc.refreshTokenGrant(config, less.refresh_token ?? "", { scope: "openid admin:token" }), { error: "invalid_scope" });
        await oidc.tokenRevocation(config, less.refresh_token ?? "", { token_type_hint: "refresh_token" });
        await assert.rejects(oidc.refreshTokenGrant(config, less.refresh_token ?? ""), { error: "invalid_grant" });
      });

      test("begins on a device, and is answered once somebody agrees", async () => {
        const began = await oidc.initiateDeviceAuthorization(config, { scope: "openid" });
        await answerDevice(visitor, began.verification_uri_complete ?? "", "allow");
        const tokens = await oidc.pollDeviceAuthorizationGrant(config, { ...began, interval: 0 });
        assert.ok(tokens.claims()?.sub);
      });

      for (const response_mode of ["fragment", "form_post"]) {
        test(`takes an ID token alone, and one with a code: ${response_mode}`, async () => {
          const implicit = new oidc.Configuration(config.serverMetadata(), config.clientMetadata().client_id, config.clientMetadata(), methods[method]());
          for (const use of [...EXECUTE, oidc.useIdTokenResponseType]) use(implicit);
          const alone = await request(implicit, { response_mode, scope: "openid" });
          assert.equal(alone.url.searchParams.get("response_type"), "id_token");
          const { expectedNonce, expectedState, maxAge } = alone.checks;
          const claims = await oidc.implicitAuthentication(implicit, await told(visitor, alone.url), expectedNonce, { expectedState, maxAge });

          const hybrid = new oidc.Configuration(config.serverMetadata(), config.clientMetadata().client_id, config.clientMetadata(), methods[method]());
          for (const use of [...EXECUTE, oidc.useCodeIdTokenResponseType]) use(hybrid);
          const both = await request(hybrid, { response_mode });
          assert.equal(both.url.searchParams.get("response_type"), "code id_token");
          const tokens = await oidc.authorizationCodeGrant(hybrid, await told(visitor, both.url), both.checks);
          assert.equal(tokens.claims()?.sub, claims.sub);
          assert.ok(tokens.refresh_token);
        });
      }

      if (method !== "none") {
        test("gets a token of its own, asks about it, ends it and is told so", async () => {
          const own = await oidc.clientCredentialsGrant(config);
          const known = await oidc.tokenIntrospection(config, own.access_token, { token_type_hint: "access_token" });
          assert.deepEqual([known.active, known.client_id], [true, config.clientMetadata().client_id]);
          await oidc.tokenRevocation(config, own.access_token);
          assert.deepEqual(await oidc.tokenIntrospection(config, own.access_token), { active: false });
        });
      }

      test("signs out, and is led back with its state", async () => {
        const own = browser(server);
        const { url, checks } = await request(config, { scope: "openid" });
        const { location } = await own.walk(url);
        assert.ok(location);
        const tokens = await oidc.authorizationCodeGrant(config, location, checks);
        const end = oidc.buildEndSessionUrl(config, { id_token_hint: tokens.id_token ?? "", post_logout_redirect_uri: DEPARTURE, state: "s" });
        const left = await own.walk(end);
        assert.deepEqual([left.location?.href, left.pages], [`${DEPARTURE}?state=s`, []]);
        await assert.rejects(oidc.fetchUserInfo(config, tokens.access_token, tokens.claims()?.sub ?? ""), { status: 401 });
        const silent = await request(config, { prompt: "none" });
        const answer = await told(own, silent.url);
        await assert.rejects(oidc.authorizationCodeGrant(config, answer, silent.checks), { error: "login_required" });
      });
    });
  }

  test("is refused a registration by another token, and told how", async () => {
    await assert.rejects(registerAs("none", "guess"), (error) => error instanceof oidc.WWWAuthenticateChallengeError && error.status === 401);
  });

  test("finds the same server by RFC 8414 and by OpenID Connect Discovery", async () => {
    const [one, other] = await Promise.all(
      /** @type {const} */ (["oauth2", "oidc"]).map((algorithm) => oidc.discovery(new URL(server.url), "any", undefined, oidc.None(), { algorithm, execute: EXECUTE })),
    );
    assert.deepEqual(one.serverMetadata(), other.serverMetadata());
  });

  test("finds that there are no pushed requests and no requests on a back channel, and says so itself", async () => {
    const config = await registerAs("client_secret_basic");
    await assert.rejects(oidc.buildAuthorizationUrlWithPAR(config, { redirect_uri: CALLBACK }), /pushed_authorization_request_endpoint/);
    await assert.rejects(oidc.initiateBackchannelAuthentication(config, { scope: "openid" }), /backchannel_authentication_endpoint/);
  });

  test("is told that request objects and answers as JWT are not taken", async () => {
    const config = await registerAs("private_key_jwt");
    const { url, checks } = await request(config);
    const jar = await oidc.buildAuthorizationUrlWithJAR(config, url.searchParams, { key: key.privateKey, kid: key.jwk.kid });
    for (const name of ["redirect_uri", "state", "response_type"]) jar.searchParams.set(name, url.searchParams.get(name) ?? "");
    await assert.rejects(oidc.authorizationCodeGrant(config, await told(visitor, jar), checks), { error: "request_not_supported" });
    url.searchParams.set("response_mode", "query.jwt");
    await assert.rejects(oidc.authorizationCodeGrant(config, await told(visitor, url), checks), { error: "invalid_request" });
  });

  test("is not known by its secret as a key of an HMAC", async () => {
    const registered = (await registerAs("client_secret_basic")).clientMetadata();
    const authentication = oidc.ClientSecretJwt(/** @type {string} */ (registered.client_secret));
    const config = await oidc.discovery(new URL(server.url), registered.client_id, undefined, authentication, { execute: EXECUTE });
    await assert.rejects(oidc.clientCredentialsGrant(config), (error) => error instanceof oidc.ResponseBodyError && error.error === "invalid_client");
  });

  test("gets tokens for a name and a password where that was switched on, and nowhere else", async () => {
    const password = { ...ADMINISTRATOR, scope: "openid offline_access" };
    const own = await register(server, { grant_types: ["password", "refresh_token"], redirect_uris: [], danger_allow_password_grant: true });
    const config = await oidc.discovery(new URL(server.url), own.client_id, undefined, oidc.ClientSecretBasic(own.client_secret ?? ""), { execute: EXECUTE });
    const tokens = await oidc.genericGrantRequest(config, "password", password);
    // Nobody was asked for access that outlives a session.
    assert.equal(tokens.scope, "openid");
    const claims = tokens.claims();
    assert.ok(claims);
    assert.equal((await oidc.fetchUserInfo(config, tokens.access_token, claims.sub)).sub, claims.sub);
    const renewed = await oidc.refreshTokenGrant(config, tokens.refresh_token ?? "");
    assert.equal(renewed.claims()?.sub, claims.sub);
    await assert.rejects(oidc.genericGrantRequest(config, "password", { ...password, password: "guess" }), { error: "invalid_grant" });
    const usual = await registerAs("client_secret_basic");
    await assert.rejects(oidc.genericGrantRequest(usual, "password", password), { error: "unsupported_grant_type" });
  });

  test("is told which grants there are not", async () => {
    const config = await registerAs("client_secret_basic");
    await assert.rejects(oidc.genericGrantRequest(config, "urn:ietf:params:oauth:grant-type:token-exchange", {}), { error: "unsupported_grant_type" });
  });
});
