// @ts-check
// The protocol and the management API are compiled apart, each with copies of its own. In one isolate, what one of them
// ended the other refuses at once, as if they were one; the bound is for other isolates.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { api, authorizeUrl, browser, exchange, introspect, ofOwn, register, revoke, serveReady } from "./support.js";

const PERSON = { username: "eve", password: "correct horse battery" };

describe("the two modules of an isolate", () => {
  /** @type {import("./support.js").Server} */
  let server;
  before(async () => {
    // Nothing here is found out because a copy grew old.
    server = await serveReady({ bindings: { REVOCATION_MAX_AGE: "60" } });
    assert.equal((await api(server, "/api/v1/accounts/", { ...PERSON, first_name: "E", last_name: "V", scopes: "user:token" })).status, 201);
  });
  after(() => server.stop());

  /** @param {import("./support.js").Client} client @param {string} scope */
  async function signedIn(client, scope) {
    const visitor = browser(server);
    const { location } = await visitor.walk(authorizeUrl(server, client, { scope }), PERSON);
    const { body } = await exchange(server, client, location?.searchParams.get("code") ?? "");
    return { visitor, token: body.access_token };
  }

  test("what the management API ends, introspection refuses at once", async () => {
    const client = await register(server);
    const { visitor, token } = await signedIn(client, "openid");
    assert.equal((await introspect(server, client, token)).body.active, true);
    const { body } = await ofOwn(server, visitor, "GET", "/api/v1/users/me/sessions");
    const { id } = body.results.find((/** @type {any} */ row) => row.current);
    assert.equal((await ofOwn(server, visitor, "DELETE", `/api/v1/users/me/sessions/${id}`)).status, 204);
    assert.equal((await introspect(server, client, token)).body.active, false);
  });

  test("what an application revokes, the management API refuses at once", async () => {
    const audience = `${server.url}/api/v1`;
    const client = await register(server, { scope: "openid user:token", resources: [audience], default_resource: audience, danger_allow_management_scopes: true });
    const { token } = await signedIn(client, "openid user:token");
    const own = () => fetch(`${audience}/users/me/sessions`, { headers: { authorization: `Bearer ${token}` } });
    assert.equal((await own()).status, 200);
    assert.equal((await revoke(server, client, token)).status, 200);
    assert.equal((await own()).status, 401);
  });

  test("a client that the management API changed is the new one for the protocol at once", async () => {
    const client = await register(server, { redirect_uris: [], grant_types: ["client_credentials"], scope: "openid" });
    const ask = () => introspect(server, client, "nothing");
    assert.equal((await ask()).status, 200);
    const { results } = (await api(server, `/api/v1/providers/oauth2/?client_id=${client.client_id}`)).body;
    assert.equal((await api(server, `/api/v1/providers/oauth2/${results[0].pk}/`, undefined, "DELETE")).status, 204);
    assert.equal((await ask()).status, 401);
  });
});
