// @ts-check
// The demo, as a person meets it: a real browser, the real worker, every button.
import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { launchBrowser } from "../../scripts/browser.mjs";
import { ADMINISTRATOR, serveReady } from "../worker/support.js";

describe("the demo", () => {
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
   * A page of its own, and what it complained about.
   *
   * @param {import("node:test").TestContext} t
   * @param {import("playwright-core").BrowserContextOptions} [options]
   */
  async function open(t, options) {
    const context = await chromium.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    t.after(() => context.close());
    const page = await context.newPage();
    page.setDefaultTimeout(10_000);
    /** @type {string[]} */
    const complaints = [];
    page.on("console", (message) => {
      // The browser notes every refused request; that a request was refused is asserted where it is sent.
      const refused = /Failed to load resource: the server responded with a status of 4\d\d/.test(message.text());
      if (["error", "warning"].includes(message.type()) && !refused) complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("requestfailed", (request) => complaints.push(`${request.url()}: ${request.failure()?.errorText}`));
    page.on("request", (request) => {
      if (!request.url().startsWith(server.url) && !request.url().startsWith("data:")) complaints.push(`left the origin: ${request.url()}`);
    });
    return { page, complaints };
  }

  /** @param {import("playwright-core").Page} page */
  async function signIn(page) {
    await page.goto(server.url);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByLabel("Username").fill(ADMINISTRATOR.username);
    await page.getByLabel("Password").fill(ADMINISTRATOR.password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("button", { name: "Allow" }).click();
    await page.getByRole("heading", { name: /^Hello/ }).waitFor();
  }

  /**
   * Presses a button and waits for what it says.
   *
   * @param {import("playwright-core").Page} page
   * @param {string} button
   * @param {string} title
   * @param {number} status
   */
  async function press(page, button, title, status) {
    await page.getByRole("button", { name: button, exact: true }).click();
    const answer = page.getByRole("region", { name: title });
    await answer.getByText(String(status), { exact: true }).waitFor();
    return answer.innerText();
  }

  test("signs in, shows who somebody is, uses, renews and ends the token, and signs out", async (t) => {
    const { page, complaints } = await open(t);
    await signIn(page);
    assert.equal(new URL(page.url()).pathname + new URL(page.url()).search, "/");

    const claims = page.getByRole("region", { name: "ID token" });
    await claims.getByText(/Verified in this tab/).waitFor();
    assert.match(await claims.innerText(), new RegExp(`preferred_username[^]*${ADMINISTRATOR.username}`));

    assert.match(await press(page, "Who am I?", "Who am I", 200), /"preferred_username": "admin"/);
    assert.match(await press(page, "Introspect", "Introspect", 200), /"active": true/);
    const token = page.getByRole("region", { name: "Access token" });
    const before = await token.locator("code").innerText();
    await press(page, "Refresh", "Refresh", 200);
    await token.getByText(/rotated once/).waitFor();
    assert.notEqual(await token.locator("code").innerText(), before);

    await press(page, "Revoke token", "Revoke the token", 200);
    await token.getByText("ended").waitFor();
    assert.match(await press(page, "Who am I?", "Who am I", 401), /invalid_token/);
    await press(page, "Refresh", "Refresh", 200);
    await press(page, "Who am I?", "Who am I", 200);
    await press(page, "Revoke grant", "Revoke the grant", 200);
    assert.match(await press(page, "Refresh", "Refresh", 400), /invalid_grant/);

    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByText("You are signed out, here and at the issuer.").waitFor();
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByLabel("Password").waitFor();
    assert.deepEqual(complaints, []);
  });

  test("keeps no token where the next visitor of this browser finds it", async (t) => {
    const { page, complaints } = await open(t);
    await signIn(page);
    const kept = await page.evaluate("JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href])");
    assert.equal(kept, JSON.stringify([{}, {}, "", `${server.url}/`]));
    await page.reload();
    await page.getByRole("button", { name: "Sign in" }).waitFor();
    assert.deepEqual(complaints, []);
  });

  test("says no when a person does", async (t) => {
    const { page, complaints } = await open(t);
    await page.goto(server.url);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByLabel("Username").fill(ADMINISTRATOR.username);
    await page.getByLabel("Password").fill("not the password");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").waitFor();
    await page.getByLabel("Password").fill(ADMINISTRATOR.password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("button", { name: "Deny" }).click();
    await page.getByRole("button", { name: "Sign in" }).waitFor();
    assert.equal(await page.getByRole("heading", { name: /^Hello/ }).count(), 0);
    assert.deepEqual(complaints, []);
  });

  test("an answer that nobody asked for is refused", async (t) => {
    const { page, complaints } = await open(t);
    await page.goto(`${server.url}/callback?code=emc_forged&state=forged&iss=${encodeURIComponent(server.url)}`);
    await page.getByRole("button", { name: "Sign in" }).waitFor();
    assert.equal(new URL(page.url()).pathname, "/");
    assert.equal(await page.getByRole("heading", { name: /^Hello/ }).count(), 0);
    assert.deepEqual(complaints, []);
  });

  test("is used by the keyboard alone", async (t) => {
    const { page, complaints } = await open(t);
    const focused = () => page.evaluate("document.activeElement?.innerText || document.activeElement?.name || document.activeElement?.tagName");
    const tabTo = async (/** @type {string} */ wanted) => {
      for (let presses = 0; presses < 20; presses += 1) {
        if ((await focused()) === wanted) return;
        await page.keyboard.press("Tab");
      }
      assert.fail(`${wanted} is not reached by Tab`);
    };
    await page.goto(server.url);
    await page.getByRole("button", { name: "Sign in" }).waitFor();
    await tabTo("Sign in");
    await page.keyboard.press("Enter");
    await page.getByLabel("Username").waitFor();
    await tabTo("username");
    await page.keyboard.type(ADMINISTRATOR.username);
    await tabTo("password");
    await page.keyboard.type(ADMINISTRATOR.password);
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Allow" }).waitFor();
    await tabTo("Allow");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: /^Hello/ }).waitFor();
    await tabTo("Who am I?");
    await page.keyboard.press("Enter");
    await page.getByRole("region", { name: "Who am I" }).getByText("200", { exact: true }).waitFor();
    assert.equal(await focused(), "Who am I?");
    assert.deepEqual(complaints, []);
  });

  test("stands in the dark, on a phone, and is photographed for whoever wants to look", async (t) => {
    for (const [name, options] of /** @type {[string, import("playwright-core").BrowserContextOptions][]} */ ([
      ["dark", { colorScheme: "dark" }],
      ["phone", { viewport: { width: 360, height: 740 } }],
    ])) {
      const { page, complaints } = await open(t, options);
      const photograph = async (/** @type {string} */ view) => {
        await page.screenshot({ path: join(tmpdir(), `edgemint-${name}-${view}.png`), fullPage: true });
        const overflow = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
        assert.equal(overflow, 0, `${name}, ${view} is wider than its window`);
      };
      await page.goto(server.url);
      await page.getByRole("button", { name: "Sign in" }).waitFor();
      await photograph("welcome");
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByLabel("Username").fill(ADMINISTRATOR.username);
      await page.getByLabel("Password").fill(ADMINISTRATOR.password);
      await photograph("login");
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("button", { name: "Allow" }).waitFor();
      await photograph("consent");
      await page.getByRole("button", { name: "Allow" }).click();
      await page.getByRole("heading", { name: /^Hello/ }).waitFor();
      await press(page, "Who am I?", "Who am I", 200);
      await photograph("signed-in");
      assert.deepEqual(complaints, []);
    }
  });
});
