// @ts-check
// `edgemint/validator` in a browser, which has no more than the web's own.
import assert from "node:assert/strict";
import { test } from "node:test";
import { launchBrowser } from "../../scripts/browser.mjs";
import { BOOTSTRAP_TOKEN, api, ask, register, revoke, serveReady } from "../worker/support.js";

const RESOURCE = "https://resource.example/";

test("a page checks tokens as everybody does", async () => {
  const server = await serveReady({ assets: true });
  const chromium = await launchBrowser();
  try {
    const tokens = [];
    for (const format of ["sealed", "jwt"]) {
      const client = await register(server, { redirect_uris: [], grant_types: ["client_credentials"], scope: "a", access_token_format: format, default_resource: RESOURCE });
      const token = async () => (await ask(server, "/oauth/token", client, { grant_type: "client_credentials" })).body.access_token;
      const dead = await token();
      assert.equal((await revoke(server, client, dead)).status, 200);
      tokens.push(await token(), dead);
    }
    const resourceKeys = (await api(server, "/api/v1/resource-keys", { resource: RESOURCE })).body;
    const options = { issuer: server.url, audience: RESOURCE, resourceKeys, revocations: { token: BOOTSTRAP_TOKEN, maxAge: 60 } };
    const page = await chromium.newPage();
    await page.goto(server.url);
    const judge = async (/** @type {any} */ { createValidator }, /** @type {any} */ options, /** @type {string[]} */ tokens) => {
      const validator = createValidator(options);
      const verdicts = [];
      for (const token of tokens) verdicts.push(await validator.validate(`Bearer ${token}`, { scopes: ["a"] }));
      return verdicts.map(({ active, cause }) => cause ?? active);
    };
    const said = await page.evaluate(`import("/pkg/validator.js").then((module) => (${judge})(module, ${JSON.stringify(options)}, ${JSON.stringify(tokens)}))`);
    assert.deepEqual(said, [true, "token_revoked", true, "token_revoked"]);
  } finally {
    await chromium.close();
    await server.stop();
  }
});
