// @ts-check
// Auth.js as an application uses it: its own handler before a socket of its own, one entry with our issuer, and a
// browser without JavaScript that goes to and fro.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Auth } from "@auth/core";
import { exportJWK, generateKeyPair } from "jose";
import { serveApplication } from "./application.js";
import { browser, formOf, introspect, refresh, register, serveReady } from "./support.js";

const ALGORITHMS = ["EdDSA", "ES256", "RS256"];
const CHECKS = ["pkce", "state", "nonce"];
const SCOPE = "openid profile email";
/** The cookie that it keeps its verifier in. */
const VERIFIER = "authjs.pkce.code_verifier";

describe("@auth/core", () => {
  /** @type {import("./support.js").Server} */
  let server;
  before(async () => {
    server = await serveReady();
  });
  after(() => server.stop());

  /**
   * An application, which keeps the tokens that it got where the test finds them.
   *
   * @param {import("node:test").TestContext} t
   * @param {Record<string, unknown>} [metadata] of its client
   * @param {Record<string, unknown>} [entry] of its list of providers
   */
  async function application(t, metadata, entry) {
    /** @type {{ tokens?: any, errors: string[] }} */
    const kept = { errors: [] };
    /** @type {any} */
    let config;
    const { url, stop } = await serveApplication(async (request) => /** @type {Response} */ (await Auth(request, config)));
    t.after(stop);
    const client = await register(server, {
      redirect_uris: [`${url}/auth/callback/edgemint`],
      post_logout_redirect_uris: [`${url}/bye`],
      scope: SCOPE,
      ...metadata,
    });
    config = {
      secret: "secret-canary-of-the-application",
      trustHost: true,
      logger: { error: (/** @type {any} */ { name, cause }) => kept.errors.push([name, cause?.err?.error ?? cause?.err?.code].filter(Boolean).join(": ")), warn: () => {}, debug: () => {} },
      providers: [
        { id: "edgemint", name: "Edgemint", type: "oidc", issuer: server.url, clientId: client.client_id, clientSecret: client.client_secret, checks: CHECKS, ...entry },
      ],
      callbacks: { jwt: (/** @type {any} */ { token, account }) => (account && (kept.tokens = account), token) },
    };
    return { url, client, kept, page: browser({ url }) };
  }

  /** @typedef {Awaited<ReturnType<typeof application>>} Application */

  /** Where the application sends the browser. @param {Application} app */
  async function begin({ url, page }) {
    const { csrfToken } = (await page.go("/auth/csrf")).body;
    const led = await page.go("/auth/signin/edgemint", { form: { csrfToken, callbackUrl: `${url}/welcome` } });
    assert.equal(led.status, 302, led.text);
    return new URL(led.headers.get("location") ?? "");
  }

  /** @param {Application} app @param {ReturnType<typeof browser>} [visitor] */
  async function signIn(app, visitor = browser(server)) {
    const request = await begin(app);
    const { location, last } = await visitor.walk(request);
    const form = formOf(last.text);
    const arrived = location ? await app.page.go(location) : await app.page.go(form?.action ?? "", { form: form?.hidden });
    assert.deepEqual(app.kept.errors, []);
    assert.deepEqual([arrived.status, arrived.headers.get("location")], [302, `${app.url}/welcome`], arrived.text);
    return { request, visitor };
  }

  /** @param {Application} app */
  const session = async ({ page }) => (await page.go("/auth/session")).body;

  test("signs in with PKCE, state and nonce, has a session, and signs out of both", async (t) => {
    const app = await application(t);
    assert.equal(await session(app), null);
    const { request, visitor } = await signIn(app);
    const sent = request.searchParams;
    assert.deepEqual([sent.get("response_type"), sent.get("code_challenge_method"), sent.get("scope")], ["code", "S256", SCOPE]);
    assert.ok(sent.get("state") && sent.get("nonce") && sent.get("code_challenge"));
    const { user, expires } = await session(app);
    assert.equal(user.name, "Administrator");
    assert.ok(expires);
    assert.equal((await introspect(server, app.client, app.kept.tokens.access_token)).body.active, true);

    const { csrfToken } = (await app.page.go("/auth/csrf")).body;
    const left = await app.page.go("/auth/signout", { form: { csrfToken, callbackUrl: `${app.url}/bye` } });
    assert.equal(left.headers.get("location"), `${app.url}/bye`);
    assert.equal(await session(app), null);
    // Its own session is all that it ends: ours ends where it sends the browser next.
    assert.equal((await introspect(server, app.client, app.kept.tokens.access_token)).body.active, true);
    const end = new URL("/oauth/logout", server.url);
    end.search = new URLSearchParams({ id_token_hint: app.kept.tokens.id_token, post_logout_redirect_uri: `${app.url}/bye` }).toString();
    assert.equal((await visitor.walk(end)).location?.href, `${app.url}/bye`);
    assert.deepEqual((await introspect(server, app.client, app.kept.tokens.access_token)).body, { active: false });
    assert.deepEqual((await visitor.walk(await begin(app))).pages, ["/login"]);
  });

  for (const algorithm of ALGORITHMS) {
    test(`takes ID tokens in ${algorithm}, and JWT access tokens as any others`, async (t) => {
      const app = await application(t, { id_token_signed_response_alg: algorithm, access_token_format: "jwt" });
      await signIn(app);
      assert.ok((await session(app)).user);
    });
  }

  for (const token_endpoint_auth_method of ["client_secret_basic", "client_secret_post", "none"]) {
    test(`proves itself by ${token_endpoint_auth_method}`, async (t) => {
      const app = await application(t, { token_endpoint_auth_method }, { client: { token_endpoint_auth_method } });
      await signIn(app);
      assert.ok((await session(app)).user);
    });
  }

  test("te_13_is_refused_by_private_key_jwt_since_it_names_two_audiences_there", async (t) => {
    const { privateKey, publicKey } = await generateKeyPair("ES256");
    const jwks = { keys: [{ ...(await exportJWK(publicKey)), alg: "ES256", use: "sig" }] };
    const token_endpoint_auth_method = "private_key_jwt";
    const entry = { client: { token_endpoint_auth_method }, token: { clientPrivateKey: privateKey } };
    const app = await application(t, { token_endpoint_auth_method, jwks }, entry);
    const { location } = await browser(server).walk(await begin(app));
    assert.ok(location);
    await app.page.go(location);
    assert.deepEqual(app.kept.errors, ["CallbackRouteError: invalid_client"]);
    assert.equal(await session(app), null);
  });

  test("asks UserInfo instead of the ID token, and takes an answer by form, where it is told to", async (t) => {
    const asks = await application(t, {}, { idToken: false });
    await signIn(asks);
    assert.ok((await session(asks)).user);
    const posted = await application(t, {}, { authorization: { params: { scope: SCOPE, response_mode: "form_post" } } });
    const { request } = await signIn(posted);
    assert.equal(request.searchParams.get("response_mode"), "form_post");
    assert.ok((await session(posted)).user);
  });

  test("keeps a refresh token that works once it has signed out", async (t) => {
    const scope = `${SCOPE} offline_access`;
    const app = await application(t, { scope }, { authorization: { params: { scope } } });
    await signIn(app);
    const { csrfToken } = (await app.page.go("/auth/csrf")).body;
    await app.page.go("/auth/signout", { form: { csrfToken, callbackUrl: app.url } });
    assert.equal((await refresh(server, app.client, app.kept.tokens.refresh_token)).status, 200);
  });

  test("is told that somebody said no, and has no session", async (t) => {
    const app = await application(t, { implicit_consent: false });
    const { location } = await browser(server).walk(await begin(app), { decision: "deny" });
    assert.ok(location);
    await app.page.go(location);
    assert.deepEqual(app.kept.errors, ["OAuthCallbackError"]);
    assert.equal(await session(app), null);
  });

  for (const [what, error, change] of /** @type {[string, string, (answer: URL, other: URL, cookies: Map<string, string>, others: Map<string, string>) => void][]} */ ([
    ["another state", "OAUTH_INVALID_RESPONSE", (answer, other) => answer.searchParams.set("state", other.searchParams.get("state") ?? "")],
    ["another issuer", "OAUTH_INVALID_RESPONSE", (answer) => answer.searchParams.set("iss", "https://evil.example")],
    ["no issuer", "OAUTH_INVALID_RESPONSE", (answer) => answer.searchParams.delete("iss")],
    // Here it is us who finds that the verifier is another's …
    ["somebody else's code", "invalid_grant", (answer, other) => answer.searchParams.set("code", other.searchParams.get("code") ?? "")],
    // … and here it finds that the nonce is.
    [
      "somebody else's code and verifier",
      "OAUTH_JWT_CLAIM_COMPARISON_FAILED",
      (answer, other, cookies, others) => {
        answer.searchParams.set("code", other.searchParams.get("code") ?? "");
        cookies.set(VERIFIER, others.get(VERIFIER) ?? "");
      },
    ],
  ])) {
    test(`lets nobody in with ${what}`, async (t) => {
      const app = await application(t);
      const visitor = browser(server);
      const page = browser(app);
      const { location: other } = await visitor.walk(await begin({ ...app, page }));
      const { location: answer } = await visitor.walk(await begin(app));
      assert.ok(answer && other && page.cookies.has(VERIFIER));
      change(answer, other, app.page.cookies, page.cookies);
      await app.page.go(answer);
      assert.deepEqual(app.kept.errors, [`CallbackRouteError: ${error}`]);
      assert.equal(await session(app), null);
    });
  }

  test("lets nobody in twice with one answer", async (t) => {
    const app = await application(t);
    const { location } = await browser(server).walk(await begin(app));
    assert.ok(location);
    const copy = new Map(app.page.cookies);
    await app.page.go(location);
    assert.ok((await session(app)).user);
    app.page.cookies.clear();
    for (const [name, value] of copy) app.page.cookies.set(name, value);
    await app.page.go(location);
    assert.equal(app.kept.errors.length, 1);
    assert.equal(await session(app), null);
    // Whoever shows a code again may have stolen it.
    assert.deepEqual((await introspect(server, app.client, app.kept.tokens.access_token)).body, { active: false });
  });
});
