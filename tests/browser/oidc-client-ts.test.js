// @ts-check
// The client library of most single-page applications, unchanged, in a real browser, on an origin of its own.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { launchBrowser } from "../../scripts/browser.mjs";
import { root } from "../../scripts/lib/steps.mjs";
import { ADMINISTRATOR, introspect, refresh, register, serveReady } from "../worker/support.js";

const LIBRARY = readFileSync(join(root, "node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js"));
const RESOURCE = "https://api.example/";
const PAGE = `<!doctype html><title>Application</title><link rel="icon" href="data:,"><script src="/oidc-client-ts.js"></script>`;
/** Hands its address to the page around it, as the library wants it to. */
const FRAME = `${PAGE}<script>new oidc.UserManager({ authority: "-", client_id: "-", redirect_uri: "-" }).signinSilentCallback()</script>`;

describe("oidc-client-ts in Chromium", () => {
  /** @type {import("../worker/support.js").Server} */
  let server;
  /** @type {import("playwright-core").Browser} */
  let chromium;
  /** @type {import("node:http").Server} */
  let application;
  /** @type {string} */
  let origin;

  before(async () => {
    application = createServer((request, response) => {
      const { pathname } = new URL(request.url ?? "/", "http://application");
      if (pathname === "/oidc-client-ts.js") response.setHeader("content-type", "text/javascript").end(LIBRARY);
      else if (pathname === "/silent") response.setHeader("content-type", "text/html").end(FRAME);
      else if (["/", "/callback", "/bye"].includes(pathname)) response.setHeader("content-type", "text/html").end(PAGE);
      else response.writeHead(404).end();
    });
    await new Promise((listening) => application.listen(0, "127.0.0.1", () => listening(undefined)));
    const { port } = /** @type {import("node:net").AddressInfo} */ (application.address());
    origin = `http://127.0.0.1:${port}`;
    server = await serveReady({ assets: true }); // our pages have an icon
    chromium = await launchBrowser();
  });
  after(async () => {
    await chromium.close();
    await server.stop();
    application.closeAllConnections();
    await new Promise((closed) => application.close(closed));
  });

  /** @param {Record<string, unknown>} [metadata] */
  const registerApplication = (metadata) =>
    register(server, {
      token_endpoint_auth_method: "none",
      redirect_uris: [`${origin}/callback`, `${origin}/silent`],
      post_logout_redirect_uris: [`${origin}/bye`],
      ...metadata,
    });

  /**
   * A page of the application, in a browser of its own, and how to call the library there.
   *
   * @param {import("node:test").TestContext} t
   * @param {import("../worker/support.js").Client} client
   * @param {Record<string, unknown>} [settings]
   */
  async function open(t, client, settings) {
    const context = await chromium.newContext();
    t.after(() => context.close());
    const page = await context.newPage();
    page.setDefaultTimeout(10_000);
    /** @type {string[]} */
    const complaints = [];
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) complaints.push(`${message.location().url}: ${message.text()}`);
    });
    page.on("pageerror", (error) => complaints.push(String(error)));
    const given = {
      authority: server.url,
      client_id: client.client_id,
      redirect_uri: `${origin}/callback`,
      silent_redirect_uri: `${origin}/silent`,
      post_logout_redirect_uri: `${origin}/bye`,
      // Not announced yet; once it is, the announced one is taken.
      metadataSeed: { end_session_endpoint: `${server.url}/logout` },
      scope: "openid profile email offline_access",
      automaticSilentRenew: false,
      silentRequestTimeoutInSeconds: 10,
      loadUserInfo: true,
      ...settings,
    };
    /** @param {string} call an expression over `manager`; what cannot be cloned is left out @returns {Promise<any>} */
    const ask = (call) =>
      page.evaluate(`(async () => {
        const manager = new oidc.UserManager({
          ...${JSON.stringify(given)},
          userStore: new oidc.WebStorageStateStore({ store: sessionStorage }),
        });
        const answer = await (${call});
        return answer === undefined ? null : JSON.parse(JSON.stringify(answer));
      })()`);
    await page.goto(`${origin}/`);
    return { page, complaints, ask };
  }

  /**
   * @param {Awaited<ReturnType<typeof open>>} opened
   * @param {string} [how]
   */
  async function signIn({ page, ask }, how = "manager.signinRedirect({ state: { cart: 7 } })") {
    // The page is left in the middle of the call.
    await ask(how).catch(() => {});
    await page.getByLabel("Username").fill(ADMINISTRATOR.username);
    await page.getByLabel("Password").fill(ADMINISTRATOR.password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL(`${origin}/callback?*`);
    return ask("manager.signinCallback()");
  }

  test("signs in by redirect, has the state back, and reads who somebody is", async (t) => {
    const client = await registerApplication();
    const opened = await open(t, client);
    const user = await signIn(opened);
    assert.deepEqual([user.profile.iss, user.profile.aud], [server.url, client.client_id]);
    assert.equal(user.profile.preferred_username, ADMINISTRATOR.username);
    assert.deepEqual(user.state, { cart: 7 });
    assert.equal(user.token_type, "Bearer");
    assert.deepEqual(user.scope.split(" ").sort(), ["email", "offline_access", "openid", "profile"]);
    assert.ok(user.expires_at > user.profile.iat && user.refresh_token && user.id_token);
    assert.equal((await opened.ask("manager.getUser()")).access_token, user.access_token);
    assert.deepEqual(opened.complaints, []);
  });

  for (const algorithm of ["EdDSA", "ES256", "RS256"]) {
    test(`takes JWT access tokens and ID tokens in ${algorithm} alike`, async (t) => {
      const client = await registerApplication({ access_token_format: "jwt", id_token_signed_response_alg: algorithm });
      const opened = await open(t, client);
      const user = await signIn(opened);
      assert.equal(user.access_token.split(".").length, 3);
      assert.equal(user.profile.preferred_username, ADMINISTRATOR.username);
      assert.deepEqual(opened.complaints, []);
    });
  }

  test("renews silently by the refresh token, which is rotated", async (t) => {
    const client = await registerApplication();
    const opened = await open(t, client);
    const first = await signIn(opened);
    const second = await opened.ask("manager.signinSilent()");
    assert.equal(second.profile.sub, first.profile.sub);
    assert.notEqual(second.access_token, first.access_token);
    assert.notEqual(second.refresh_token, first.refresh_token);
    const third = await opened.ask("manager.signinSilent()");
    assert.notEqual(third.refresh_token, second.refresh_token);
    assert.equal(new URL(opened.page.url()).origin, origin);
    assert.deepEqual(opened.complaints, []);
  });

  test("renews silently in a frame while there is a session, and is told when there is none", async (t) => {
    const client = await registerApplication({ scope: "openid profile", grant_types: ["authorization_code"] });
    const opened = await open(t, client, { scope: "openid profile" });
    assert.equal(await opened.ask("manager.signinSilent().catch(({ error }) => error)"), "login_required");
    const first = await signIn(opened);
    assert.equal(first.refresh_token, undefined);
    const second = await opened.ask("manager.signinSilent()");
    assert.equal(second.profile.sub, first.profile.sub);
    assert.notEqual(second.access_token, first.access_token);
    assert.deepEqual(opened.complaints, []);
  });

  test("revokes its tokens, and neither of them works afterwards", async (t) => {
    const client = await registerApplication({ default_resource: RESOURCE });
    const resource = await register(server, { grant_types: ["client_credentials"], redirect_uris: [], serves: [RESOURCE] });
    const opened = await open(t, client);
    const user = await signIn(opened);
    assert.equal((await introspect(server, resource, user.access_token)).body.active, true);
    await opened.ask("manager.revokeTokens()");
    assert.deepEqual((await introspect(server, resource, user.access_token)).body, { active: false });
    assert.equal((await refresh(server, client, user.refresh_token)).body.error, "invalid_grant");
    // The session lives, so the library finds its way to other tokens.
    assert.notEqual((await opened.ask("manager.signinSilent()")).access_token, user.access_token);
    assert.deepEqual(opened.complaints, []);
  });

  test("signs out, comes back with its state, and has to sign in again", async (t) => {
    const client = await registerApplication();
    const opened = await open(t, client, { scope: "openid profile" });
    const user = await signIn(opened);
    await opened.ask("manager.signoutRedirect({ state: 'over' })").catch(() => {});
    await opened.page.waitForURL(`${origin}/bye?*`);
    const answer = await opened.ask("manager.signoutCallback()");
    assert.equal(answer.userState, "over");
    assert.equal(await opened.ask("manager.getUser()"), null);
    assert.equal((await refresh(server, client, user.refresh_token)).body.error, "invalid_grant");
    await opened.ask("manager.signinRedirect()").catch(() => {});
    await opened.page.getByLabel("Password").waitFor();
    assert.deepEqual(opened.complaints, []);
  });

  test("is told the server's own words when a person says no", async (t) => {
    const client = await registerApplication({ implicit_consent: false });
    const opened = await open(t, client);
    await opened.ask("manager.signinRedirect()").catch(() => {});
    await opened.page.getByLabel("Username").fill(ADMINISTRATOR.username);
    await opened.page.getByLabel("Password").fill(ADMINISTRATOR.password);
    await opened.page.getByRole("button", { name: "Sign in" }).click();
    await opened.page.getByRole("button", { name: "Deny" }).click();
    await opened.page.waitForURL(`${origin}/callback?*`);
    assert.equal(await opened.ask("manager.signinCallback().catch(({ error }) => error)"), "access_denied");
    assert.equal(await opened.ask("manager.getUser()"), null);
    assert.deepEqual(opened.complaints, []);
  });
});
