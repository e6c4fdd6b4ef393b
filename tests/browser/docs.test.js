// @ts-check
// The viewer of the API's description, as a person meets it: nothing leaves the origin, nothing breaks the policy.
import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { launchBrowser } from "../../scripts/browser.mjs";
import { BOOTSTRAP_TOKEN, serveReady } from "../worker/support.js";

describe("the viewer of the API's description", () => {
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
   * The page, when it shows operations, and what it complained about.
   *
   * @param {import("node:test").TestContext} t
   * @param {import("playwright-core").BrowserContextOptions} [options]
   */
  async function open(t, options) {
    const context = await chromium.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    t.after(() => context.close());
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    /** @type {string[]} */
    const complaints = [];
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("requestfailed", (request) => complaints.push(`${request.url()}: ${request.failure()?.errorText}`));
    page.on("request", (request) => {
      if (!request.url().startsWith(`${server.url}/`) && !request.url().startsWith("data:")) complaints.push(`left the origin: ${request.url()}`);
    });
    await page.goto(`${server.url}/api/docs`);
    await page.locator(".opblock").first().waitFor();
    return { page, complaints };
  }

  test("shows every operation, and what one asks and answers", async (t) => {
    const { page, complaints } = await open(t);
    const description = /** @type {any} */ (await (await fetch(`${server.url}/api/v1/openapi.json`)).json());
    const operations = Object.values(description.paths).flatMap((methods) => Object.keys(/** @type {object} */ (methods)));
    assert.equal(await page.locator(".opblock").count(), operations.length);
    const create = page.locator("#operations-roles-roles_create");
    await create.getByRole("button", { name: /roles/ }).first().click();
    for (const text of ["Request body", "The new record.", "Another record has that value"]) await create.getByText(text).first().waitFor();
    assert.deepEqual(complaints, []);
  });

  test("tries an operation with a token that was typed in, and keeps no token", async (t) => {
    const { page, complaints } = await open(t);
    await page.getByRole("button", { name: "Authorize", exact: true }).click();
    const bearer = page.locator(".auth-container", { hasText: "bearer" });
    await bearer.getByRole("textbox").fill(BOOTSTRAP_TOKEN);
    await bearer.getByRole("button", { name: /apply/i }).click();
    await bearer.getByRole("button", { name: "Close" }).click();
    const list = page.locator("#operations-scopes-scopes_list");
    await list.getByRole("button", { name: /scopes/ }).first().click();
    await list.getByRole("button", { name: "Try it out" }).click();
    await list.getByRole("button", { name: "Execute" }).click();
    await list.locator(".live-responses-table .response-col_status").getByText("200").waitFor();
    const kept = await page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie])");
    assert.equal(String(kept).includes(BOOTSTRAP_TOKEN), false);
    assert.deepEqual(complaints, []);
  });

  test("is used by the keyboard alone", async (t) => {
    const { page, complaints } = await open(t);
    const focused = () => page.evaluate("document.activeElement?.closest('.opblock')?.id ?? document.activeElement?.className");
    await page.keyboard.press("Tab");
    assert.equal(await focused(), "skip", "the first stop leads past the head");
    for (let presses = 0; (await focused()) !== "operations-scopes-scopes_list"; presses += 1) {
      assert.ok(presses < 40, "the first operation is not reached by Tab");
      await page.keyboard.press("Tab");
    }
    const outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle");
    assert.equal(outline, "solid", "what has the focus is seen to have it");
    await page.keyboard.press("Enter");
    await page.locator("#operations-scopes-scopes_list").getByText("Try it out").waitFor();
    assert.deepEqual(complaints, []);
  });

  test("stands in the dark and on a phone, and is photographed for whoever wants to look", async (t) => {
    for (const [name, options] of /** @type {[string, import("playwright-core").BrowserContextOptions][]} */ ([
      ["light", {}],
      ["dark", { colorScheme: "dark" }],
      ["phone", { viewport: { width: 360, height: 740 } }],
    ])) {
      const { page, complaints } = await open(t, options);
      await page.locator("#operations-scopes-scopes_create").getByRole("button").first().click();
      await page.locator("#operations-scopes-scopes_create").getByText("Request body").waitFor();
      const ground = String(await page.evaluate("getComputedStyle(document.body).backgroundColor"));
      assert.equal(/^rgb\((\d|[1-5]\d), /.test(ground), name === "dark", `${name}: ${ground}`);
      const overflow = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
      assert.equal(overflow, 0, `${name} is wider than its window`);
      await page.screenshot({ path: join(tmpdir(), `edgemint-docs-${name}.png`) });
      assert.deepEqual(complaints, []);
    }
  });
});
