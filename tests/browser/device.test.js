// @ts-check
// Where somebody answers a device: on a phone, in a browser that runs no script (row S4.6, RFC 8628 §3.3).
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launchBrowser } from "../../scripts/browser.mjs";
import { ADMINISTRATOR, ask, register, serveReady } from "../worker/support.js";

const GRANT = "urn:ietf:params:oauth:grant-type:device_code";
/** A phone of the smaller kind. */
const PHONE = { javaScriptEnabled: false, viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true };

describe("/device on a phone without script", () => {
  /** @type {import("../worker/support.js").Server} */
  let server;
  /** @type {import("playwright-core").Browser} */
  let chromium;
  /** @type {import("../worker/support.js").Client} */
  let television;

  before(async () => {
    server = await serveReady({ assets: true });
    chromium = await launchBrowser();
    television = await register(server, {
      // As long as a name may well be, with nowhere to break.
      client_name: "Televisionmanufacturerslivingroomset",
      redirect_uris: [],
      grant_types: [GRANT, "refresh_token"],
      token_endpoint_auth_method: "none",
    });
  });
  after(async () => {
    await chromium.close();
    await server.stop();
  });

  async function begin() {
    const { status, body, text } = await ask(server, "/oauth/device_authorization", television, { scope: "openid profile offline_access" });
    assert.equal(status, 200, text);
    return body;
  }

  /** @param {{ device_code: string }} began */
  const poll = ({ device_code }) => ask(server, "/oauth/token", television, { grant_type: GRANT, device_code });

  /** @param {import("node:test").TestContext} t */
  async function phone(t) {
    const context = await chromium.newContext(PHONE);
    t.after(() => context.close());
    const page = await context.newPage();
    page.setDefaultTimeout(10_000);
    /** @type {string[]} */
    const complaints = [];
    page.on("console", (message) => {
      // A browser writes down by itself that a page was answered with 400.
      if (["error", "warning"].includes(message.type()) && !message.text().includes("status of 400")) complaints.push(message.text());
    });
    t.after(() => assert.deepEqual(complaints, []));
    return page;
  }

  /**
   * Stops unless the page that is shown has this text and is no wider than the screen.
   *
   * @param {import("playwright-core").Page} page
   * @param {string} text
   */
  async function shows(page, text) {
    await page.getByText(text).first().waitFor();
    const found = await page.evaluate(() => {
      const { scrollWidth, clientWidth } = document.documentElement;
      // The card cuts off what is wider, so that the document never finds out.
      const cut = Array.from(document.querySelectorAll("body, .card, .card *")).filter((it) => it.clientWidth > 0 && it.scrollWidth > it.clientWidth);
      return { widths: [scrollWidth, clientWidth, window.innerWidth], cut: cut.map(({ outerHTML }) => outerHTML.slice(0, 80)) };
    });
    // A page without its viewport would be laid out for a desk, and fit there.
    assert.deepEqual(found, { widths: [360, 360, 360], cut: [] }, text);
    // What is tapped is as large as a finger (WCAG 2.2, 2.5.8).
    for (const button of await page.getByRole("button").all()) {
      const box = await button.boundingBox();
      assert.ok(box && box.height >= 24 && box.x >= 0 && box.x + box.width <= 360, `${text}: ${await button.textContent()}`);
    }
  }

  /** @param {import("playwright-core").Page} page */
  async function signIn(page) {
    await shows(page, "Password");
    await page.getByLabel("Username").fill(ADMINISTRATOR.username);
    await page.getByLabel("Password").fill(ADMINISTRATOR.password);
    await page.getByRole("button", { name: "Sign in" }).tap();
    await shows(page, "Code on your device");
  }

  for (const [answer, said, error] of /** @type {const} */ ([
    ["Allow", "Your device is connected", undefined],
    ["Deny", "Your device is not connected", "access_denied"],
  ])) {
    test(`a code is typed by hand, and ${answer} reaches the device`, async (t) => {
      const page = await phone(t);
      const began = await begin();
      await page.goto(began.verification_uri);
      await signIn(page);
      const field = page.getByLabel("Code on your device");
      assert.equal(await field.inputValue(), "");
      // First mistyped: the page says so, and keeps what was typed.
      await field.fill("bbbb bbbb");
      await page.getByRole("button", { name: "Continue" }).tap();
      await shows(page, "No device waits with that code");
      assert.equal(await field.inputValue(), "bbbb bbbb");
      await field.fill(began.user_code.toLowerCase().replace("-", ""));
      await page.getByRole("button", { name: "Continue" }).tap();
      await shows(page, "Does your device show this code?");
      await shows(page, began.user_code);
      await shows(page, television.client_name);
      assert.equal((await poll(began)).body.error, "authorization_pending");
      await page.getByRole("button", { name: answer }).tap();
      await shows(page, said);
      const told = await poll(began);
      assert.deepEqual([told.status, told.body.error], [error ? 400 : 200, error]);
      assert.equal(told.body.token_type, error ? undefined : "Bearer");
    });

    test(`a link fills the code in, and ${answer} reaches the device`, async (t) => {
      const page = await phone(t);
      const began = await begin();
      await page.goto(began.verification_uri_complete);
      await signIn(page);
      assert.equal(await page.getByLabel("Code on your device").inputValue(), began.user_code);
      await page.getByRole("button", { name: "Continue" }).tap();
      await shows(page, began.user_code);
      assert.equal((await poll(began)).body.error, "authorization_pending");
      await page.getByRole("button", { name: answer }).tap();
      await shows(page, said);
      const told = await poll(began);
      assert.deepEqual([told.status, told.body.error], [error ? 400 : 200, error]);
    });
  }
});
