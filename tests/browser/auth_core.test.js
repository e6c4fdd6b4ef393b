// @ts-check
// Auth.js before its own pages, in a real browser: signs in through ours, renews by the refresh token as its guide has it,
// renews by a request without a page, and signs out of both. `worker/auth_core.test.js` has what it refuses.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Auth } from "@auth/core";
import { launchBrowser } from "../../scripts/browser.mjs";
import { serveApplication } from "../worker/application.js";
import { ADMINISTRATOR, introspect, refresh, register, serveReady } from "../worker/support.js";

const SCOPE = "openid profile email";
/** Where it begins; and where a sign-out ends. */
const HOME = `<!doctype html><title>Application</title><link rel="icon" href="data:,">
  <p id="who">?</p><a href="/auth/signin?callbackUrl=/">Sign in</a> <a href="/auth/signout?callbackUrl=/bye">Sign out</a>
  <script>
    fetch("/auth/session").then((answer) => answer.json()).then((session) => {
      document.querySelector("#who").textContent = session === null ? "Nobody" : session.error ?? session.user.name;
    });
  </script>`;

describe("@auth/core in Chromium", () => {
  /** @type {import("../worker/support.js").Server} */
  let server;
  /** @type {import("playwright-core").Browser} */
  let chromium;

  before(async () => {
    server = await serveReady({ assets: true });
    chromium = await launchBrowser();
  });
  after(async () => {
    await chromium.close();
    await server.stop();
  });

  /**
   * The application, which keeps its tokens in its own session as Auth.js' guide to rotation has it; and a page of a browser there.
   *
   * @param {import("node:test").TestContext} t
   * @param {string} [scope]
   */
  async function open(t, scope = SCOPE) {
    /** @type {{ given: any[], errors: string[], ahead: number }} tokens, the newest last; how far its clock is ahead, in seconds */
    const kept = { given: [], errors: [], ahead: 0 };
    const now = () => Math.floor(Date.now() / 1000) + kept.ahead;
    /** @param {any} tokens */
    const keeping = ({ access_token, refresh_token, id_token, expires_in }) => {
      const tokens = { access_token, refresh_token, id_token, expires_at: now() + expires_in };
      kept.given.push(tokens);
      return tokens;
    };
    /** @type {any} */
    let config;
    const { url, stop } = await serveApplication(async (request) => {
      const { pathname, searchParams } = new URL(request.url);
      if (["/", "/bye"].includes(pathname)) return new Response(HOME, { headers: { "content-type": "text/html" } });
      if (!pathname.startsWith("/auth/")) return new Response(null, { status: 204 });
      // Its own log says nothing of this.
      if (pathname.startsWith("/auth/callback/")) kept.errors.push(...searchParams.getAll("error"));
      /** @type {string | undefined} */
      let leaving;
      const events = { signOut: (/** @type {any} */ { token }) => void (leaving = token.tokens.id_token) };
      const response = /** @type {Response} */ (await Auth(request, { ...config, events }));
      if (leaving === undefined) return response;
      // Its own session is over; ours ends where it sends the browser.
      const { end_session_endpoint } = await (await fetch(`${server.url}/.well-known/openid-configuration`)).json();
      const end = new URL(end_session_endpoint);
      end.search = new URLSearchParams({ id_token_hint: leaving, post_logout_redirect_uri: `${url}/bye`, state: "over" }).toString();
      const headers = new Headers(response.headers);
      headers.set("location", end.href);
      return new Response(null, { status: response.status, headers });
    });
    const context = await chromium.newContext();
    /** @type {string[]} */
    const complaints = [];
    t.after(async () => {
      await context.close();
      await stop();
      assert.deepEqual([complaints, kept.errors], [[], []]);
    });
    const client = await register(server, {
      redirect_uris: [`${url}/auth/callback/edgemint`],
      post_logout_redirect_uris: [`${url}/bye`],
      scope: `${SCOPE} offline_access`,
    });
    config = {
      secret: "secret-canary-of-the-application",
      trustHost: true,
      logger: { error: (/** @type {Error} */ { name }) => kept.errors.push(name), warn: () => {}, debug: () => {} },
      providers: [
        {
          id: "edgemint",
          name: "Edgemint",
          type: "oidc",
          issuer: server.url,
          clientId: client.client_id,
          clientSecret: client.client_secret,
          checks: ["pkce", "state", "nonce"],
          authorization: { params: { scope } },
          style: { logo: "" }, // or its page asks a host of its makers for one
        },
      ],
      callbacks: {
        jwt: async (/** @type {any} */ { token, account }) => {
          if (account) return { ...token, error: undefined, tokens: keeping(account) };
          if (now() < token.tokens.expires_at) return token;
          const renewed = await refresh(server, client, token.tokens.refresh_token);
          return renewed.status === 200 ? { ...token, tokens: keeping(renewed.body) } : { ...token, error: renewed.body.error };
        },
        session: (/** @type {any} */ { session, token }) => ({ ...session, error: token.error }),
      },
    };
    const page = await context.newPage();
    page.setDefaultTimeout(10_000);
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) complaints.push(`${message.location().url}: ${message.text()}`);
    });
    page.on("pageerror", (error) => complaints.push(String(error)));
    return { url, client, kept, page };
  }

  /** @typedef {Awaited<ReturnType<typeof open>>} Application */

  /** Whom the application shows, when it is opened anew. @param {Application} app */
  async function shown({ page, url }) {
    await page.goto(`${url}/`);
    await page.locator("#who:not(:text-is('?'))").waitFor();
    return page.locator("#who").textContent();
  }

  /** As far as our page, or as the application where none is needed. @param {Application} app */
  async function begin({ page, url }) {
    await page.goto(`${url}/`);
    await page.getByRole("link", { name: "Sign in" }).click();
    await page.getByRole("button", { name: "Sign in with Edgemint" }).click();
  }

  /** @param {Application} app */
  async function signIn(app) {
    await begin(app);
    assert.equal(new URL(app.page.url()).origin, server.url);
    await app.page.getByLabel("Username").fill(ADMINISTRATOR.username);
    await app.page.getByLabel("Password").fill(ADMINISTRATOR.password);
    await app.page.getByRole("button", { name: "Sign in" }).click();
    await app.page.waitForURL(`${app.url}/`);
    assert.equal(await shown(app), "Administrator");
    assert.equal(app.kept.given.length, 1);
  }

  /** @param {Application} app @param {{ access_token: string }} tokens */
  const isActive = async ({ client }, { access_token }) => (await introspect(server, client, access_token)).body.active;

  test("signs in through our page, and the session shows who it is", async (t) => {
    const app = await open(t);
    assert.equal(await shown(app), "Nobody");
    await signIn(app);
    assert.equal(await isActive(app, app.kept.given[0]), true);
    // Somebody who is signed in here comes back without a page.
    await app.page.context().clearCookies({ name: /^authjs\./ });
    assert.equal(await shown(app), "Nobody");
    await begin(app);
    await app.page.waitForURL(`${app.url}/`);
    assert.equal(await shown(app), "Administrator");
  });

  test("renews when the access token has expired, once, and the refresh token is rotated", async (t) => {
    const app = await open(t);
    await signIn(app);
    const { kept } = app;
    assert.equal(await shown(app), "Administrator");
    assert.equal(kept.given.length, 1, "before that there is nothing to renew");
    for (const round of [2, 3]) {
      kept.ahead += 3600;
      for (let times = 0; times < 2; times += 1) assert.equal(await shown(app), "Administrator");
      assert.equal(kept.given.length, round);
    }
    for (const name of ["access_token", "refresh_token"]) assert.equal(new Set(kept.given.map((tokens) => tokens[name])).size, 3, name);
    assert.equal(await isActive(app, kept.given[2]), true);
  });

  test("finds at its next renewal that somebody signed out elsewhere, and is signed in anew", async (t) => {
    const app = await open(t);
    await signIn(app);
    const account = await app.page.context().newPage();
    await account.goto(`${server.url}/logout`);
    await account.getByRole("button", { name: "Sign out" }).click();
    await account.getByText("signed out").first().waitFor();
    assert.equal(await isActive(app, app.kept.given[0]), false);
    app.kept.ahead = 3600;
    assert.equal(await shown(app), "invalid_grant");
    await begin(app);
    await app.page.getByLabel("Password").waitFor();
  });

  test("renews after a sign-out elsewhere where it was given access for that time", async (t) => {
    const app = await open(t, `${SCOPE} offline_access`);
    await signIn(app);
    const account = await app.page.context().newPage();
    await account.goto(`${server.url}/logout`);
    await account.getByRole("button", { name: "Sign out" }).click();
    await account.getByText("signed out").first().waitFor();
    app.kept.ahead = 3600;
    assert.equal(await shown(app), "Administrator");
    assert.equal(app.kept.given.length, 2);
  });

  test("renews by a request without a page while there is a session here", async (t) => {
    const app = await open(t);
    await signIn(app);
    /** As its `signIn` does it in a browser, with more parameters of the request. */
    const silently = () =>
      app.page.evaluate(async () => {
        const { csrfToken } = await (await fetch("/auth/csrf")).json();
        const form = Object.assign(document.createElement("form"), { method: "post", action: "/auth/signin/edgemint?prompt=none" });
        for (const [name, value] of Object.entries({ csrfToken, callbackUrl: "/bye" })) form.append(Object.assign(document.createElement("input"), { name, value }));
        document.body.append(form);
        form.submit();
      });
    await silently();
    await app.page.waitForURL(`${app.url}/bye`);
    assert.equal(app.kept.given.length, 2);
    assert.notEqual(app.kept.given[1].access_token, app.kept.given[0].access_token);
    assert.equal(await shown(app), "Administrator");
    await app.page.goto(`${server.url}/logout`);
    await app.page.getByRole("button", { name: "Sign out" }).click();
    await app.page.getByText("signed out").first().waitFor();
    await app.page.goto(`${app.url}/`);
    await silently();
    await app.page.waitForURL(/\/auth\/(error|signin)\?/);
    assert.deepEqual(app.kept.errors.splice(0), ["login_required", "OAuthCallbackError"]);
  });

  test("signs out of both: its own session and ours", async (t) => {
    const app = await open(t);
    await signIn(app);
    const { page, url, client, kept } = app;
    await page.getByRole("link", { name: "Sign out" }).click();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.waitForURL(`${url}/bye?state=over`);
    assert.equal(await shown(app), "Nobody");
    const [given] = kept.given;
    assert.equal(await isActive(app, given), false);
    assert.equal((await refresh(server, client, given.refresh_token)).body.error, "invalid_grant");
    await begin(app);
    await page.getByLabel("Password").waitFor();
    assert.equal(new URL(page.url()).origin, server.url);
  });
});
