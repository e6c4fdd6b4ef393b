// @ts-check
/**
 * A crash after somebody was told that they are signed out, and before the client was: it is told when we are back, though
 * nobody asks for anything. Where it was being told, it is told again, under another `jti`.
 */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, test } from "node:test";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { authorizeUrl, browser, exchange, introspect, register, serve, serveReady } from "./support.js";

const DANGER = { DANGER_ALLOW_PRIVATE_FETCH_TARGETS: "1" };
const SCRIPT = "tests/worker/untold.js";

describe("a crash between a sign-out and the client", () => {
  const persist = mkdtempSync(join(tmpdir(), "edgemint-unsent-"));
  /** @type {import("./support.js").Server} */
  let server;
  /** @type {import("./support.js").Client} */
  let client;
  /** What came, the oldest first. @type {string[]} */
  const came = [];
  /** Whether what comes is left without an answer. */
  let mute = false;
  /** @type {(() => void)[]} */
  let waiting = [];
  const receiver = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    came.push(new URLSearchParams(body).get("logout_token") ?? "");
    if (!mute) response.writeHead(204).end();
    waiting.splice(0).forEach((go) => go());
  });

  /** Until so many came. @param {number} count */
  async function until(count) {
    while (came.length < count) await new Promise((resolve) => waiting.push(() => resolve(undefined)));
  }

  before(async () => {
    await new Promise((resolve) => receiver.listen(0, "127.0.0.1", () => resolve(undefined)));
    const { port } = /** @type {import("node:net").AddressInfo} */ (receiver.address());
    server = await serveReady({ script: SCRIPT, persist, bindings: DANGER });
    client = await register(server, { backchannel_logout_uri: `http://127.0.0.1:${port}/`, backchannel_logout_session_required: true });
  });
  after(async () => {
    await server.stop();
    receiver.closeAllConnections();
    receiver.close();
    rmSync(persist, { recursive: true, force: true });
  });

  /** Starts again on what is there, under the same name and secrets. @param {Record<string, string>} [more] */
  async function restart(more) {
    const { ISSUER, ROOT_SECRETS } = server.bindings;
    const port = Number(new URL(ISSUER).port);
    server = await serve({ script: SCRIPT, persist, port, bindings: { ISSUER, ROOT_SECRETS, ...DANGER, ...more } });
  }

  /** Signs somebody in and out; answers their tokens. */
  async function signedOut() {
    const visitor = browser(server);
    const { location } = await visitor.walk(authorizeUrl(server, client, { scope: "openid", nonce: "n" }));
    const { body } = await exchange(server, client, location?.searchParams.get("code") ?? "");
    assert.equal((await visitor.walk("/logout")).last.status, 200);
    assert.equal((await introspect(server, client, body.access_token)).body.active, false);
    return body;
  }

  /** @param {string} token @param {string} id_token of the session that ended */
  async function verified(token, id_token) {
    const keys = createRemoteJWKSet(new URL(`${server.url}/.well-known/jwks.json`));
    const options = { typ: "logout+jwt", issuer: server.bindings.ISSUER, audience: client.client_id, requiredClaims: ["jti", "iat", "exp"] };
    const { payload } = await jwtVerify(token, keys, options);
    const own = JSON.parse(Buffer.from(id_token.split(".")[1], "base64url").toString());
    assert.deepEqual([payload.sid, payload.sub], [own.sid, own.sub]);
    return payload.jti;
  }

  for (const [what, UNSENT] of [["the courier had heard of it", "courier"], ["the courier had sent it", "clients"]]) {
    test(`before ${what}: it is told once`, async () => {
      await server.stop();
      await restart({ UNSENT });
      const before = came.length;
      const { id_token } = await signedOut();
      assert.equal(came.length, before);
      await server.kill();
      await restart();
      await until(before + 1);
      await verified(came[before], id_token);
      // Whatever comes now is of the next one.
      const next = await signedOut();
      await until(before + 2);
      await verified(came[before + 1], next.id_token);
    });
  }

  test("one that cannot be read is told to nobody, and holds up no other", async () => {
    await server.stop();
    await restart({ UNSENT: "clients" });
    const before = came.length;
    const ends = [await signedOut(), await signedOut(), await signedOut()];
    await server.stop();
    let bent = 0;
    for (const file of globSync(join(persist, "**/*.sqlite"))) {
      const database = new DatabaseSync(file);
      try {
        if (!database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'logouts'").get()) continue;
        const rows = database.prepare("SELECT source, number, waiting FROM logouts").all();
        assert.equal(rows.length, 3);
        for (const [index, garbage] of ["{", '{"notice":7}'].entries()) {
          // By whose it is: the last one stays.
          const { sid } = JSON.parse(Buffer.from(ends[index].id_token.split(".")[1], "base64url").toString());
          const row = rows.find(({ waiting }) => String(waiting).includes(sid));
          assert.ok(row);
          database.prepare("UPDATE logouts SET waiting = ? WHERE source = ? AND number = ?").run(garbage, row.source, row.number);
          bent += 1;
        }
      } finally {
        database.close();
      }
    }
    assert.equal(bent, 2);
    await restart();
    await until(before + 1);
    await verified(came[before], ends[2].id_token);
    // Nor does it hold up what comes.
    const next = await signedOut();
    await until(before + 2);
    await verified(came[before + 1], next.id_token);
  });

  test("while it was being told: it is told again, and has no cause to refuse that", async () => {
    const before = came.length;
    mute = true;
    const { id_token } = await signedOut();
    await until(before + 1);
    await server.kill();
    mute = false;
    await restart();
    await until(before + 2);
    const ids = await Promise.all(came.slice(before, before + 2).map((token) => verified(token, id_token)));
    assert.notEqual(ids[0], ids[1]);
    const next = await signedOut();
    await until(before + 3);
    await verified(came[before + 2], next.id_token);
  });
});
