// @ts-check
// Back-channel logout over the wire (row S4.4): clients who are good, slow, away for a while, who refuse, lead elsewhere or
// answer too much; and one who must not be asked. What comes is verified by a library of other people's.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { CALLBACK, api, authorizeUrl, browser, exchange, introspect, made, register, serve, serveReady } from "./support.js";

const EVENT = "http://schemas.openid.net/event/backchannel-logout";
const DANGER = { DANGER_ALLOW_PRIVATE_FETCH_TARGETS: "1" };

/** Clients, by the first part of their path; what came is kept by path. */
async function receiver() {
  /** @type {Record<string, { token: string, type: string | undefined }[]>} */
  const came = {};
  /** @type {(() => void)[]} */
  let waiting = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const path = request.url ?? "";
    const list = (came[path] ??= []);
    const token = new URLSearchParams(body).get("logout_token") ?? "";
    list.push({ token, type: request.headers["content-type"] });
    const [, kind] = path.split("/");
    if (kind === "flaky") response.writeHead(list.length < 3 ? 503 : 200).end();
    else if (kind === "refusing") response.writeHead(400, { "content-type": "application/json" }).end('{"error":"invalid_request"}');
    else if (kind === "redirecting") response.writeHead(307, { location: path.replace("redirecting", "elsewhere") }).end();
    else if (kind === "huge") response.writeHead(200).write("a".repeat(1 << 20)); // and so on
    else if (kind === "hanging") return waiting.splice(0).forEach((go) => go()); // for good
    else if (kind !== "slow" || list.length > 1) response.writeHead(204).end();
    // The first to "slow" is never answered.
    waiting.splice(0).forEach((go) => go());
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${port}`,
    came,
    /** Until so many came. @param {string} path @param {number} [times] */
    async until(path, times = 1) {
      while ((came[path]?.length ?? 0) < times) await new Promise((resolve) => waiting.push(() => resolve(undefined)));
      return came[path];
    },
    stop: () => (server.closeAllConnections(), server.close()),
  };
}

describe("back-channel logout", () => {
  /** @type {import("./support.js").Server} */
  let server;
  /** @type {Awaited<ReturnType<typeof receiver>>} */
  let clients;
  const persist = mkdtempSync(join(tmpdir(), "edgemint-backchannel-"));

  before(async () => {
    clients = await receiver();
    server = await serveReady({ script: "tests/worker/faulty.js", bindings: DANGER, persist });
  });
  after(async () => {
    await server.stop();
    clients.stop();
    rmSync(persist, { recursive: true, force: true });
  });

  /** A client that is told at a path. @param {string} path @param {Record<string, unknown>} [more] */
  const client = (path, more) =>
    register(server, { backchannel_logout_uri: clients.url + path, backchannel_logout_session_required: true, ...more });

  /** @param {ReturnType<typeof browser>} visitor @param {import("./support.js").Client} of @param {string} [scope] */
  async function signedIn(visitor, of, scope = "openid") {
    const { location } = await visitor.walk(authorizeUrl(server, of, { scope, nonce: "n" }));
    const { status, body } = await exchange(server, of, location?.searchParams.get("code") ?? "");
    assert.equal(status, 200);
    return body;
  }

  /** @param {ReturnType<typeof browser>} visitor */
  const signOut = async (visitor) => assert.equal((await visitor.walk("/logout")).last.status, 200);

  /** @param {string} token @param {import("./support.js").Client} of */
  async function verified(token, of) {
    const keys = createRemoteJWKSet(new URL(`${server.url}/.well-known/jwks.json`));
    const options = { typ: "logout+jwt", issuer: server.bindings.ISSUER, audience: of.client_id, requiredClaims: ["jti", "iat", "exp", "sid"] };
    const { payload } = await jwtVerify(token, keys, options);
    assert.deepEqual(payload.events, { [EVENT]: {} });
    assert.equal(payload.nonce, undefined);
    return payload;
  }

  /** Lines of the history about this client. @param {import("./support.js").Client} of */
  async function history(of) {
    const { body } = await api(server, "/api/v1/audit/?collection=backchannel_logouts&page_size=100");
    return body.results.map((/** @type {any} */ line) => line.after).filter((/** @type {any} */ after) => after.client_id === of.client_id);
  }

  /** Until the history says it. @param {import("./support.js").Client} of */
  async function givenUp(of) {
    for (;;) {
      const [line] = await history(of);
      if (line !== undefined) return line;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  test("s4_4_a_client_is_told_who_signed_out_and_of_which_session", async () => {
    const [one, quiet] = [await client("/good/one"), await register(server)];
    const visitor = browser(server);
    const { id_token, access_token } = await signedIn(visitor, one);
    await signedIn(visitor, quiet);
    await signOut(visitor);
    const [{ token, type }] = await clients.until("/good/one");
    assert.match(type ?? "", /^application\/x-www-form-urlencoded/);
    const claims = await verified(token, one);
    const own = JSON.parse(Buffer.from(id_token.split(".")[1], "base64url").toString());
    assert.deepEqual([claims.sid, claims.sub], [own.sid, own.sub]);
    assert.equal((await introspect(server, one, access_token)).body.active, false);
  });

  test("s4_2_sub_and_iss_are_the_clients_in_every_token", async () => {
    const provider = await made(server, "providers/oauth2/", {
      name: "Shop",
      redirect_uris: CALLBACK,
      sub_mode: "user_username",
      issuer_mode: "per_provider",
      access_token_format: "jwt",
      scope: "openid offline_access",
      backchannel_logout_uri: `${clients.url}/good/shop`,
    });
    await made(server, "applications/", { name: "Shop", slug: "shop", provider: provider.pk });
    const shop = { ...provider, redirect_uris: [CALLBACK] };
    const visitor = browser(server);
    const tokens = await signedIn(visitor, shop, "openid offline_access");
    const iss = `${server.bindings.ISSUER}/application/o/shop/`;
    const keys = createRemoteJWKSet(new URL(`${iss}jwks/`));
    for (const token of [tokens.id_token, tokens.access_token]) {
      const { payload } = await jwtVerify(token, keys, { issuer: iss });
      assert.equal(payload.sub, "admin");
    }
    for (const token of [tokens.access_token, tokens.refresh_token]) {
      const { body } = await introspect(server, shop, token);
      assert.deepEqual([body.active, body.sub, body.iss], [true, "admin", iss]);
    }
    const userinfo = await fetch(`${server.url}/oauth/userinfo`, { headers: { authorization: `Bearer ${tokens.access_token}` } });
    assert.equal((await userinfo.json()).sub, "admin");
    await signOut(visitor);
    const [{ token }] = await clients.until("/good/shop");
    assert.equal((await jwtVerify(token, keys, { issuer: iss, audience: shop.client_id, typ: "logout+jwt" })).payload.sub, "admin");
  });

  test("who is away is told again, by another token, and who is slow holds up nobody", async () => {
    const [flaky, slow, good] = await Promise.all([client("/flaky/a"), client("/slow/a"), client("/good/beside")]);
    const visitor = browser(server);
    for (const one of [slow, flaky, good]) await signedIn(visitor, one);
    await signOut(visitor);
    await clients.until("/good/beside");
    const came = await clients.until("/flaky/a", 3);
    const ids = await Promise.all(came.map(async ({ token }) => (await verified(token, flaky)).jti));
    assert.equal(new Set(ids).size, 3);
    assert.equal((await clients.until("/slow/a", 2)).length, 2);
    assert.deepEqual(await history(flaky), []);
  });

  test("who hangs is told one at a time, and keeps nobody waiting who is told of as many ends, or comes later", async () => {
    const [hanging, good, later] = await Promise.all([client("/hanging/a"), client("/good/many"), client("/good/later")]);
    const eve = { username: "eve", password: "correct horse battery staple" };
    const { pk } = await made(server, "users/", eve);
    const sessions = 8;
    for (let session = 0; session < sessions; session += 1) {
      const visitor = browser(server);
      for (const one of [hanging, good]) {
        const { location } = await visitor.walk(authorizeUrl(server, one, { scope: "openid", nonce: "n" }), eve);
        assert.equal((await exchange(server, one, location?.searchParams.get("code") ?? "")).status, 200);
      }
    }
    assert.equal((await api(server, `/api/v1/users/${pk}/`, { is_active: false }, "PATCH")).status, 200);
    await clients.until("/good/many", sessions);
    assert.equal(clients.came["/hanging/a"].length, 1);
    const visitor = browser(server);
    await signedIn(visitor, later);
    await signOut(visitor);
    await clients.until("/good/later");
    assert.ok(clients.came["/hanging/a"].length <= 2);
  });

  test("who refuses, or leads elsewhere, is told once, and the history has it", async () => {
    for (const [path, status] of [["/refusing/a", 400], ["/redirecting/a", 307]]) {
      const one = await client(`${path}`);
      const visitor = browser(server);
      await signedIn(visitor, one);
      await signOut(visitor);
      const line = await givenUp(one);
      assert.deepEqual([line.reason, line.attempts], [`answered ${status}`, 1]);
      assert.equal(clients.came[`${path}`].length, 1);
      assert.ok(server.lines.some((line) => line.includes("logout_undelivered") && line.includes(one.client_id)));
    }
    assert.equal(clients.came["/elsewhere/a"], undefined);
  });

  test("an answer of any length is not read", async () => {
    const one = await client("/huge/a");
    const visitor = browser(server);
    await signedIn(visitor, one);
    await signOut(visitor);
    await clients.until("/huge/a");
    const next = await client("/good/after");
    const other = browser(server);
    await signedIn(other, next);
    await signOut(other);
    await clients.until("/good/after");
    assert.equal(clients.came["/huge/a"].length, 1);
  });

  test("while the courier is away people sign out, and clients are told when it is back", async () => {
    const one = await client("/good/outage");
    // Where it is held, whoever waited for it would wait until it is let go.
    for (const courier of ["unreachable", "overloaded", "held"]) {
      const visitor = browser(server);
      const { access_token } = await signedIn(visitor, one);
      const before = clients.came["/good/outage"]?.length ?? 0;
      await fetch(`${server.url}/faults`, { method: "POST", body: JSON.stringify({ courier }) });
      await signOut(visitor);
      assert.equal((await introspect(server, one, access_token)).body.active, false);
      assert.equal(clients.came["/good/outage"]?.length ?? 0, before);
      await fetch(`${server.url}/faults`, { method: "POST", body: "{}" });
      await fetch(`${server.url}/fire`, { method: "POST" });
      await clients.until("/good/outage", before + 1);
    }
  });

  test("what waits outlives a restart, and the switch that is gone", async () => {
    const one = await client("/flaky/restart");
    const visitor = browser(server);
    await signedIn(visitor, one);
    await signOut(visitor);
    await clients.until("/flaky/restart");
    const { ISSUER, ROOT_SECRETS } = server.bindings;
    const port = Number(new URL(ISSUER).port);
    const again = (/** @type {Record<string, string>} */ more) => serve({ script: "tests/worker/faulty.js", persist, port, bindings: { ISSUER, ROOT_SECRETS, ...more } });
    await server.stop();
    server = await again(DANGER);
    // An object wakes when it is asked, or by its alarm.
    await clients.until("/flaky/restart", 3);
    const private_ = await client("/good/private");
    const other = browser(server);
    await signedIn(other, private_);
    await fetch(`${server.url}/faults`, { method: "POST", body: JSON.stringify({ courier: "unreachable" }) });
    await signOut(other);
    await server.stop();
    server = await again({});
    await fetch(`${server.url}/fire`, { method: "POST" });
    assert.match((await givenUp(private_)).reason, /none that is sent to/);
    assert.equal(clients.came["/good/private"], undefined);
    for (const uri of [`${clients.url}/good/x`, "https://127.0.0.1/x", "https://localhost/x"]) {
      const refused = await api(server, "/oauth/register", { redirect_uris: [CALLBACK], backchannel_logout_uri: uri });
      assert.deepEqual([refused.status, refused.body.error], [400, "invalid_client_metadata"], uri);
    }
  });
});
