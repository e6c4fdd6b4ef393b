// @ts-check
// A resource in Rust (`examples/axum`), which checks tokens by itself, beside the running worker.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { build } from "../../scripts/lib/modules.mjs";
import { root } from "../../scripts/lib/steps.mjs";
import { BOOTSTRAP_TOKEN, api, ask, read, register, revoke, serveReady } from "./support.js";

const RESOURCE = "https://resource.example/";

describe("a resource behind axum", () => {
  /** @type {import("./support.js").Server} */
  let server;
  /** @type {Awaited<ReturnType<typeof start>>} */
  let resource;
  /** @type {Record<string, import("./support.js").Client>} with either form of tokens */
  const clients = {};

  before(async () => {
    await build(["axum"]);
    server = await serveReady();
    for (const format of ["sealed", "jwt"]) {
      clients[format] = await register(server, {
        redirect_uris: [],
        grant_types: ["client_credentials"],
        scope: "read write",
        access_token_format: format,
        default_resource: RESOURCE,
      });
    }
    resource = await start({ MAX_AGE: "2" });
    await eventually(async () => (await call(resource, await token("jwt"))).status === 200);
  });
  after(async () => {
    resource?.stop();
    await server?.stop();
  });

  /** @param {Record<string, string>} settings */
  async function start(settings) {
    const keys = (await api(server, "/api/v1/resource-keys", { resource: RESOURCE })).body;
    const child = spawn(join(root, "target/tool/axum-resource"), [], {
      env: { ...process.env, ISSUER: server.url, AUDIENCE: RESOURCE, RESOURCE_KEYS: JSON.stringify(keys), REVOCATIONS_TOKEN: BOOTSTRAP_TOKEN, ...settings },
      stdio: ["ignore", "pipe", "ignore"],
    });
    const url = await new Promise((done, fail) => {
      createInterface({ input: child.stdout }).once("line", done);
      child.once("exit", (code) => fail(new Error(`it ended with ${code}`)));
    });
    return { url: /** @type {string} */ (url), stop: () => child.kill() };
  }

  /** @param {string} format @param {object} [more] */
  async function token(format, more = {}) {
    const { body } = await ask(server, "/oauth/token", clients[format], { grant_type: "client_credentials", ...more });
    return body.access_token;
  }

  /** @param {{ url: string }} resource @param {string} [text] */
  const call = async ({ url }, text) => read(await fetch(`${url}/whoami`, text === undefined ? {} : { headers: { authorization: `Bearer ${text}` } }));

  for (const format of ["sealed", "jwt"]) {
    test(`lets in what is good, and refuses the rest as the issuer does: ${format}`, async () => {
      const text = await token(format);
      const { status, body } = await call(resource, text);
      assert.deepEqual([status, body.active, body.aud, body.client_id], [200, true, RESOURCE, clients[format].client_id]);
      const little = await call(resource, await token(format, { scope: "write" }));
      assert.deepEqual([little.status, little.body.error], [403, "insufficient_scope"]);
      assert.match(/** @type {string} */ (little.headers.get("www-authenticate")), /error="insufficient_scope", scope="read"/);
      for (const bad of ["nonsense", text.slice(0, -2), `${text}A`]) {
        const refused = await call(resource, bad);
        assert.deepEqual([refused.status, refused.body.error], [401, "invalid_token"]);
      }
      const none = await call(resource);
      assert.deepEqual([none.status, none.headers.get("www-authenticate")], [401, 'Bearer realm="edgemint"']);
    });

    test(`hears of what was revoked: ${format}`, async () => {
      const text = await token(format);
      assert.equal((await call(resource, text)).status, 200);
      assert.equal((await revoke(server, clients[format], text)).status, 200);
      await eventually(async () => (await call(resource, text)).status === 401);
    });
  }

  test("says nothing of any token when it cannot hear what was revoked", async () => {
    const deaf = await start({ REVOCATIONS_TOKEN: "another" });
    try {
      const { status, headers, body } = await call(deaf, await token("sealed"));
      assert.deepEqual([status, body.error, headers.get("retry-after"), headers.get("www-authenticate")], [503, "unavailable", "1", null]);
    } finally {
      deaf.stop();
    }
  });

  test("does not begin with the keys of another resource", async () => {
    await assert.rejects(start({ AUDIENCE: "https://other.example/" }), /ended with 1/);
  });
});

/** @param {() => Promise<boolean>} isIt */
async function eventually(isIt) {
  // As long as the runner lets a file run.
  while (!(await isIt())) await new Promise((done) => setImmediate(done));
}
