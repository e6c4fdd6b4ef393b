// @ts-check
// An answer by form in a real browser: posted by our script, and by the button where no script runs.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";
import { launchBrowser } from "../../scripts/browser.mjs";
import { ADMINISTRATOR, authorizeUrl, exchange, register, serveReady } from "../worker/support.js";

/** @param {string} host @param {import("node:http").RequestListener} listener */
async function listening(host, listener) {
  const server = createServer(listener);
  await new Promise((listens) => server.listen(0, host, () => listens(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return { server, port };
}

describe("an answer by form in Chromium", () => {
  /** @type {import("../worker/support.js").Server} */
  let server;
  /** @type {import("playwright-core").Browser} */
  let chromium;
  /** @type {import("node:http").Server} */
  let application;
  /** @type {string} */
  let callback;
  /** @type {string[]} bodies of what the application was posted */
  let posted;

  before(async () => {
    posted = [];
    application = createServer(async (request, response) => {
      let body = "";
      for await (const part of request) body += part;
      if (request.method === "POST" && request.url === "/callback") posted.push(body);
      response.setHeader("content-type", "text/html").end(`<!doctype html><title>Application</title><link rel="icon" href="data:,">`);
    });
    await new Promise((listening) => application.listen(0, "127.0.0.1", () => listening(undefined)));
    const { port } = /** @type {import("node:net").AddressInfo} */ (application.address());
    callback = `http://127.0.0.1:${port}/callback`;
    server = await serveReady({ assets: true });
    chromium = await launchBrowser();
  });
  after(async () => {
    await chromium.close();
    await server.stop();
    application.closeAllConnections();
    await new Promise((closed) => application.close(closed));
  });

  for (const javaScriptEnabled of [true, false]) {
    test(`it reaches the application ${javaScriptEnabled ? "by itself" : "by its button without script"}`, async (t) => {
      const client = await register(server, { redirect_uris: [callback] });
      const context = await chromium.newContext({ javaScriptEnabled });
      t.after(() => context.close());
      const page = await context.newPage();
      page.setDefaultTimeout(10_000);
      /** @type {string[]} */
      const complaints = [];
      page.on("console", (message) => {
        if (["error", "warning"].includes(message.type())) complaints.push(message.text());
      });
      const url = authorizeUrl(server, client, { response_mode: "form_post", state: "a&b\"'<>" });
      for (const signedIn of [false, true]) {
        await page.goto(url.href);
        if (!signedIn) {
          await page.getByLabel("Username").fill(ADMINISTRATOR.username);
          await page.getByLabel("Password").fill(ADMINISTRATOR.password);
          await page.getByRole("button", { name: "Sign in" }).click();
        }
        if (!javaScriptEnabled) await page.getByRole("button", { name: "Continue" }).click();
        await page.waitForURL(callback);
        const answer = new URLSearchParams(posted.pop());
        assert.deepEqual([answer.get("state"), answer.get("iss")], ["a&b\"'<>", server.url]);
        assert.equal((await exchange(server, client, answer.get("code") ?? "")).status, 200);
      }
      assert.deepEqual(complaints, []);
      assert.deepEqual(posted, []);
    });
  }

  // Browsers hold `form-action` against every redirect that comes of a form, and a policy cannot name [::1].
  for (const [name, host] of [["leads on to another origin", "127.0.0.1"], ["is at [::1]", "::1"]]) {
    for (const response_mode of ["query", "form_post"]) {
      test(`a sign-in ends at an application that ${name}, by ${response_mode}`, async (t) => {
        const home = await listening("127.0.0.1", (_, response) => response.setHeader("content-type", "text/html").end("<title>Home</title>"));
        const away = `http://localhost:${home.port}/home`;
        const entry = await listening(host, (_, response) => response.writeHead(303, { location: away }).end());
        const context = await chromium.newContext();
        t.after(async () => {
          await context.close();
          for (const { server } of [home, entry]) server.closeAllConnections(), server.close();
        });
        const callback = `http://${host === "::1" ? "[::1]" : host}:${entry.port}/callback`;
        const client = await register(server, { redirect_uris: [callback] });
        const page = await context.newPage();
        page.setDefaultTimeout(10_000);
        await page.goto(authorizeUrl(server, client, { response_mode }).href);
        await page.getByLabel("Username").fill(ADMINISTRATOR.username);
        await page.getByLabel("Password").fill(ADMINISTRATOR.password);
        await page.getByRole("button", { name: "Sign in" }).click();
        await page.waitForURL(away);
      });
    }
  }
});
