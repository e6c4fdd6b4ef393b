// @ts-check
// What other Workers of the deployment ask over a service binding.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { root } from "../../scripts/lib/steps.mjs";
import { ask, browser, code, exchange, read, register, serveReady } from "./support.js";

const RESOURCE = "https://resource.example/";
/** Chosen here, because the binding names it before it is registered. */
const [OWNER, STRANGER] = ["c-resource-server", "c-stranger"];

describe("the service binding", () => {
  /** @type {import("./support.js").Server} */
  let server;
  /** @type {import("./support.js").Client} */
  let client;
  /** @type {import("./support.js").Client} */
  let owner;
  /** @type {any} */
  let caller;

  before(async () => {
    const binding = (/** @type {any} */ props) => ({ name: "edgemint", entrypoint: "Edgemint", ...(props ? { props } : {}) });
    server = await serveReady({
      script: "tests/worker/counting.js",
      bindings: { REVOCATION_MAX_AGE: "60" },
      workers: [
        {
          name: "caller",
          modules: [{ type: "ESModule", path: "caller.js", contents: readFileSync(join(root, "tests/worker/caller.js"), "utf8") }],
          compatibilityDate: "2026-05-03",
          serviceBindings: {
            OWNER: binding({ client: OWNER }),
            STRANGER: binding({ client: STRANGER }),
            UNKNOWN: binding({ client: "c-nobody" }),
            UNFIT: binding({ client: 'no"client' }),
            NUMBER: binding({ client: 7 }),
            NOBODY: binding(undefined),
            EMPTY: binding({}),
          },
        },
      ],
    });
    const machine = { redirect_uris: [], grant_types: ["client_credentials"], scope: "a" };
    owner = await register(server, { ...machine, client_id: OWNER, serves: [RESOURCE] });
    await register(server, { ...machine, client_id: STRANGER });
    client = await register(server, { default_resource: RESOURCE });
    caller = await server.mf.getWorker("caller");
  });
  after(() => server.stop());

  /**
   * @param {string} binding
   * @param {string} method
   * @param {...unknown} values
   */
  async function call(binding, method, ...values) {
    const answer = await read(await caller.fetch(`http://caller/${binding}/${method}`, { method: "POST", body: JSON.stringify(values) }));
    assert.equal(answer.status, 200, answer.text);
    return answer.body;
  }

  const bearer = (/** @type {string} */ token) => ({ authorization: `Bearer ${token}` });

  async function tokens() {
    const { body } = await exchange(server, client, await code(server, browser(server), client));
    return body;
  }

  test("the owner of an audience learns about its tokens, others do not", async () => {
    const { access_token } = await tokens();
    const known = await call("OWNER", "introspect", access_token);
    assert.deepEqual([known.active, known.client_id, known.aud, known.scope], [true, client.client_id, RESOURCE, "offline_access openid"]);
    assert.deepEqual(await call("STRANGER", "introspect", access_token), { active: false });
    assert.deepEqual(await call("OWNER", "introspect", "nonsense"), { active: false });
  });

  test("a request is validated for the audience and the scopes of who asks", async () => {
    const { access_token } = await tokens();
    const good = await call("OWNER", "validate", bearer(access_token), { scopes: ["openid"] });
    assert.deepEqual([good.active, good.client_id, good.aud], [true, client.client_id, RESOURCE]);
    assert.equal((await call("OWNER", "validate", bearer(access_token))).active, true);
    assert.equal((await call("OWNER", "validate", bearer(access_token), { scopes: ["x", "openid"], satisfy: "any" })).active, true);

    const little = await call("OWNER", "validate", bearer(access_token), { scopes: ["x", "openid"] });
    assert.deepEqual([little.error, little.status], ["insufficient_scope", 403]);
    assert.match(little.challenge, /error="insufficient_scope", scope="openid x"/);

    const foreign = await call("STRANGER", "validate", bearer(access_token));
    assert.deepEqual([foreign.error, foreign.status], ["invalid_token", 401]);

    const none = await call("OWNER", "validate", {});
    assert.deepEqual([none.status, none.challenge], [401, 'Bearer realm="edgemint"']);
    assert.equal(none.active, undefined);
    const bad = await call("OWNER", "validate", bearer("nonsense"));
    assert.deepEqual([bad.error, bad.status], ["invalid_token", 401]);
  });

  test("a scope that is missing does not mean that none is needed", async () => {
    const { access_token } = await tokens();
    for (const scopes of [[null], [""], ["openid", null], [["openid"]], "openid", null]) {
      const answer = await call("OWNER", "validate", bearer(access_token), { scopes });
      assert.deepEqual([answer.error, answer.status, answer.active], ["invalid_request", 400, undefined], JSON.stringify(scopes));
    }
  });

  test("a client revokes its own tokens and no others", async () => {
    const service = await register(server, { client_id: "c-service", redirect_uris: [], grant_types: ["client_credentials"], scope: "a", serves: [] });
    const { body } = await ask(server, "/oauth/token", service, { grant_type: "client_credentials" });
    const refused = await call("OWNER", "revoke", body.access_token);
    assert.deepEqual([refused.error, refused.status], ["invalid_request", 400]);
    assert.equal((await ask(server, "/oauth/introspect", service, { token: body.access_token })).body.active, true);

    const own = await ask(server, "/oauth/token", owner, { grant_type: "client_credentials" });
    assert.equal((await call("OWNER", "introspect", own.body.access_token)).active, true);
    assert.deepEqual(await call("OWNER", "revoke", own.body.access_token), { revoked: true });
    assert.deepEqual(await call("OWNER", "revoke", "nonsense"), { revoked: true });
  });

  test("without a client in the binding every method refuses", async () => {
    const { access_token } = await tokens();
    for (const binding of ["NOBODY", "EMPTY", "UNKNOWN", "UNFIT", "NUMBER"]) {
      for (const refused of [
        await call(binding, "introspect", access_token),
        await call(binding, "validate", bearer(access_token)),
        await call(binding, "revoke", access_token),
      ]) {
        assert.deepEqual([refused.error, refused.status, refused.active, refused.revoked], ["invalid_client", 401, undefined, undefined], binding);
      }
    }
    assert.equal((await call("OWNER", "introspect", access_token)).active, true);
  });

  test("arguments of another type are refused, not thrown", async () => {
    for (const value of [null, 7, {}, ["x"], undefined]) {
      const introspected = await call("OWNER", "introspect", value);
      assert.ok(introspected.error === "invalid_request" || introspected.active === false, JSON.stringify(introspected));
    }
    const odd = await call("OWNER", "validate", bearer((await tokens()).access_token), { scopes: ["a b", '"'], satisfy: "all" });
    assert.deepEqual([odd.error, odd.status, odd.active], ["invalid_request", 400, undefined]);
  });

  test("introspection and validation cost nothing in the steady state", async () => {
    const { access_token } = await tokens();
    await call("OWNER", "validate", bearer(access_token));
    await fetch(`${server.url}/counted`);
    for (let times = 0; times < 20; times += 1) {
      assert.equal((await call("OWNER", "introspect", access_token)).active, true);
      assert.equal((await call("OWNER", "validate", bearer(access_token), { scopes: ["openid"] })).active, true);
    }
    assert.deepEqual((await read(await fetch(`${server.url}/counted`))).body, {});
  });
});
