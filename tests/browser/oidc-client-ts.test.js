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
/** So short that the library renews a second after it got a token, which is as soon as it ever does. */
const SHORT = { access_token_lifetime: 60 };
/** Until the library has renewed twice by itself, or says that it cannot. */
const twiceRenewed = `new Promise((done, failed) => {
  const tokens = [];
  setTimeout(() => failed(new Error("nothing was renewed")), 8_000);
  manager.events.addSilentRenewError(failed);
  manager.events.addUserLoaded(({ access_token, profile }) => {
    if (tokens.push(access_token) < 2) return;
    manager.stopSilentRenew();
    done({ tokens, sub: profile.sub });
  });
})`;
const PAGE = `<!doctype html><title>Application</title><link rel="icon" href="data:,"><script src="/oidc-client-ts.js"></script>`;
/** Pages that hand their address to the one around them, or that opened them, as the library wants them to; also after a sign-out. */
const handsOn = (/** @type {string} */ call) => `${PAGE}<script>new oidc.UserManager({ authority: "-", client_id: "-", redirect_uri: "-" }).${call}()</script>`;
const FRAME = handsOn("signinSilentCallback");
const POPUP = handsOn("signinPopupCallback");

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
      else if (pathname === "/popup") response.setHeader("content-type", "text/html").end(POPUP);
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
      redirect_uris: ["/callback", "/silent", "/popup"].map((path) => origin + path),
      post_logout_redirect_uris: ["/bye", "/silent", "/popup"].map((path) => origin + path),
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
      scope: "openid profile email offline_access",
      automaticSilentRenew: false,
      silentRequestTimeoutInSeconds: 10,
      loadUserInfo: true,
      ...settings,
    };
    /**
     * @param {string} call an expression over `manager`; what cannot be cloned is left out
     * @param {Record<string, unknown>} [more] settings for this call
     * @returns {Promise<any>}
     */
    const ask = (call, more) =>
      page.evaluate(`(async () => {
        const manager = new oidc.UserManager({
          ...${JSON.stringify({ ...given, ...more })},
          userStore: new oidc.WebStorageStateStore({ store: sessionStorage }),
        });
        const answer = await (${call});
        return answer === undefined ? null : JSON.parse(JSON.stringify(answer));
      })()`);
    await page.goto(`${origin}/`);
    return { context, page, complaints, ask };
  }

  /** @param {import("playwright-core").Page} page */
  async function fillIn(page) {
    await page.getByLabel("Username").fill(ADMINISTRATOR.username);
    await page.getByLabel("Password").fill(ADMINISTRATOR.password);
    await page.getByRole("button", { name: "Sign in" }).click();
  }

  /**
   * @param {Awaited<ReturnType<typeof open>>} opened
   * @param {string} [how]
   */
  async function signIn({ page, ask }, how = "manager.signinRedirect({ state: { cart: 7 } })") {
    // The page is left in the middle of the call.
    await ask(how).catch(() => {});
    await fillIn(page);
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
    await fillIn(opened.page);
    await opened.page.getByRole("button", { name: "Deny" }).click();
    await opened.page.waitForURL(`${origin}/callback?*`);
    assert.equal(await opened.ask("manager.signinCallback().catch(({ error }) => error)"), "access_denied");
    assert.equal(await opened.ask("manager.getUser()"), null);
    assert.deepEqual(opened.complaints, []);
  });

  for (const [how, scope, grant_types, refusal] of /** @type {[string, string, string[], string][]} */ ([
    ["in a frame", "openid profile", ["authorization_code"], "login_required"],
    ["by the refresh token", "openid profile", ["authorization_code", "refresh_token"], "invalid_grant"],
  ])) {
    test(`renews by itself before an access token ends, ${how}, again and again`, async (t) => {
      const opened = await open(t, await registerApplication({ grant_types, ...SHORT }), { scope });
      const first = await signIn(opened);
      assert.equal("refresh_token" in first, grant_types.includes("refresh_token"));
      const { tokens, sub } = await opened.ask(twiceRenewed, { automaticSilentRenew: true });
      assert.equal(new Set([first.access_token, ...tokens]).size, 3);
      assert.equal(sub, first.profile.sub);
      assert.deepEqual(opened.complaints, []);
    });

    test(`finds ${how} that somebody signed out elsewhere, and says so`, async (t) => {
      const opened = await open(t, await registerApplication({ grant_types, ...SHORT }), { scope });
      await signIn(opened);
      const account = await opened.context.newPage();
      await account.goto(`${server.url}/logout`);
      await account.getByRole("button", { name: "Sign out" }).click();
      await account.getByText("signed out").first().waitFor();
      assert.equal(await opened.ask(`${twiceRenewed}.catch(({ error }) => error)`, { automaticSilentRenew: true }), refusal);
      // A browser writes down by itself that a request was refused.
      assert.deepEqual(opened.complaints.filter((line) => !line.startsWith(`${server.url}/oauth/token: `)), []);
    });
  }

  test("is told in the frame, by redirect, whatever would need a page or is refused", async (t) => {
    const trusted = await open(t, await registerApplication(), { scope: "openid profile" });
    await signIn(trusted);
    const refused = async (/** @type {string} */ call) => trusted.ask(`${call}.then(() => "nothing", ({ error }) => error)`);
    const silent = (/** @type {Record<string, unknown>} */ more) => refused(`manager.signinSilent(${JSON.stringify({ forceIframeAuth: true, ...more })})`);
    assert.equal(await silent({}), "nothing");
    assert.equal(await silent({ max_age: 0 }), "login_required");
    assert.equal(await silent({ scope: "openid nonsense" }), "invalid_scope");
    assert.equal(await silent({ resource: "https://elsewhere.example/" }), "invalid_target");
    assert.equal(await silent({ prompt: "none login" }), "invalid_request");
    assert.equal(await silent({ extraQueryParams: { response_type: "token" } }), "invalid_request"); // it stands there twice
    assert.equal(await silent({ request: "e30." }), "request_not_supported");
    assert.equal(await silent({ request_uri: "https://elsewhere.example/" }), "request_uri_not_supported");
    // A client that nobody answers for has to be asked about.
    const { client_id } = await registerApplication({ implicit_consent: false });
    const other = "new oidc.UserManager({ ...manager.settings, client_id: CLIENT }).signinSilent()".replace("CLIENT", JSON.stringify(client_id));
    assert.equal(await refused(other), "consent_required");
    assert.deepEqual(trusted.complaints, []);
  });

  test("gets no page into a frame: a client that is not proven is told nothing there", async (t) => {
    const opened = await open(t, await registerApplication());
    const stranger = { silent_redirect_uri: `${origin}/bye`, silentRequestTimeoutInSeconds: 1 };
    assert.match(await opened.ask("manager.signinSilent().catch(({ message }) => message)", stranger), /timed out/);
    assert.match(opened.complaints.join(), /frame-ancestors|X-Frame-Options/);
  });

  test("from another site, renews by the refresh token and signs out by redirect, and neither in a frame", async (t) => {
    // The same machine, and for a browser another site, whose frames bring no cookies of ours.
    const elsewhere = origin.replace("127.0.0.1", "localhost");
    const uris = ["/callback", "/silent"].map((path) => elsewhere + path);
    const client = await registerApplication({ redirect_uris: uris, post_logout_redirect_uris: [`${elsewhere}/bye`, uris[1]] });
    const opened = await open(t, client, {
      redirect_uri: uris[0],
      silent_redirect_uri: uris[1],
      popup_post_logout_redirect_uri: uris[1],
      post_logout_redirect_uri: `${elsewhere}/bye`,
    });
    await opened.page.goto(`${elsewhere}/`);
    await opened.ask("manager.signinRedirect()").catch(() => {});
    await fillIn(opened.page);
    await opened.page.waitForURL(`${uris[0]}?*`);
    const first = await opened.ask("manager.signinCallback()");
    const second = await opened.ask("manager.signinSilent()");
    assert.notEqual(second.refresh_token, first.refresh_token);
    assert.equal(await opened.ask("manager.signinSilent({ forceIframeAuth: true }).catch(({ error }) => error)"), "login_required");
    /** Whether there is a session, as only a page that fills the window finds out. */
    const silently = async () => {
      await opened.page.goto(`${elsewhere}/`);
      await opened.ask("manager.signinRedirect({ prompt: 'none' })").catch(() => {});
      await opened.page.waitForURL(`${uris[0]}?*`);
      return opened.ask("manager.signinCallback().then(() => 'signed in', ({ error }) => error)");
    };
    await opened.ask("manager.signoutSilent()");
    assert.equal(await silently(), "signed in");
    await opened.ask("manager.signoutRedirect()").catch(() => {});
    await opened.page.waitForURL(`${elsewhere}/bye`);
    assert.equal(await silently(), "login_required");
    assert.deepEqual(opened.complaints, []);
  });

  test("signs in and out in a popup", async (t) => {
    const popups = { popup_redirect_uri: `${origin}/popup`, popup_post_logout_redirect_uri: `${origin}/popup` };
    const opened = await open(t, await registerApplication(), popups);
    const shown = opened.page.waitForEvent("popup");
    const signing = opened.ask("manager.signinPopup()");
    const popup = await shown;
    await fillIn(popup);
    const user = await signing;
    assert.equal(user.profile.preferred_username, ADMINISTRATOR.username);
    assert.ok((await opened.ask("manager.signinSilent({ forceIframeAuth: true })")).access_token);
    await opened.ask("manager.signoutPopup()");
    assert.equal(await opened.ask("manager.getUser()"), null);
    assert.equal(await opened.ask("manager.signinSilent().catch(({ error }) => error)"), "login_required");
    assert.deepEqual(opened.complaints, []);
  });

  test("signs out in a frame, by the ID token", async (t) => {
    const opened = await open(t, await registerApplication(), { scope: "openid profile", popup_post_logout_redirect_uri: `${origin}/silent` });
    const user = await signIn(opened);
    await opened.ask("manager.signoutSilent()", { includeIdTokenInSilentSignout: true });
    assert.equal(await opened.ask("manager.getUser()"), null);
    assert.equal(await opened.ask("manager.signinSilent().catch(({ error }) => error)"), "login_required");
    const { status } = await fetch(`${server.url}/oauth/userinfo`, { headers: { authorization: `Bearer ${user.access_token}` } });
    assert.equal(status, 401);
    assert.deepEqual(opened.complaints, []);
  });

  test("does without watching the session, which is not offered, when it is told to watch", async (t) => {
    const opened = await open(t, await registerApplication(), { monitorSession: true });
    const user = await signIn(opened);
    assert.equal(user.session_state ?? null, null);
    assert.equal(await opened.ask("manager.metadataService.getCheckSessionIframe()"), null);
    // It asks by a request in a frame as well; without `session_state` it makes nothing of the answer.
    assert.equal(await opened.ask("manager.querySessionStatus()"), null);
    assert.ok((await opened.ask("manager.signinSilent()")).access_token);
    assert.deepEqual(opened.complaints, []);
  });
});
