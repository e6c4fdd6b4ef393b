// @ts-check
// `kill -9` under load: what was acknowledged is still true afterwards. Figure 6 of the security scoreboard, in small.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { browser, code, exchange, introspect, read, refresh, register, revoke, serve, serveReady } from "./support.js";

const CRASHES = 4;
const WORKERS = 6;
/** Acknowledged answers of each kind before the process is killed. */
const ENOUGH = 20;

describe("a crash", () => {
  const persist = mkdtempSync(join(tmpdir(), "edgemint-crash-"));
  /** @type {import("./support.js").Server} */
  let server;
  /** @type {import("./support.js").Client} */
  let client;

  before(async () => {
    server = await serveReady({ persist });
    client = await register(server);
  });
  after(async () => {
    await server.stop();
    rmSync(persist, { recursive: true, force: true });
  });

  /** Starts again on what is left, under the same name and secrets. */
  async function restart() {
    const { ISSUER, ROOT_SECRETS } = server.bindings;
    server = await serve({ persist, port: Number(new URL(ISSUER).port), bindings: { ISSUER, ROOT_SECRETS } });
  }

  const jwks = async () => (await read(await fetch(`${server.url}/.well-known/jwks.json`))).body;

  test("a second start has the same keys, clients, accounts, sessions and tokens", async () => {
    const visitor = browser(server);
    const { body } = await exchange(server, client, await code(server, visitor, client));
    const keys = await jwks();
    assert.ok(keys.keys.length > 0);
    await server.stop();
    await restart();
    assert.deepEqual(await jwks(), keys);
    assert.equal((await introspect(server, client, body.access_token)).body.active, true);
    assert.equal((await refresh(server, client, body.refresh_token)).status, 200);
    assert.ok(await code(server, visitor, client, { prompt: "none" }));
  });

  for (let crash = 1; crash <= CRASHES; crash += 1) {
    test(`loses nothing that was acknowledged: ${crash} of ${CRASHES}`, async () => {
      /** @type {string[]} */
      const spent = [];
      /** @type {{ from: string, to: string }[]} */
      const rotated = [];
      /** @type {{ access: string, refresh?: string }[]} */
      const revoked = [];
      /** Refresh tokens that somebody began to revoke. @type {Set<string>} */
      const doubtful = new Set();
      /** @type {import("./support.js").Client[]} */
      const registered = [];
      let killed = false;
      /** @type {() => void} */
      let loaded = () => {};
      const enough = new Promise((resolve) => (loaded = () => resolve(undefined)));

      const visitors = await Promise.all(
        Array.from({ length: WORKERS }, async () => {
          const visitor = browser(server);
          await code(server, visitor, client);
          return visitor;
        }),
      );

      /** @param {ReturnType<typeof browser>} visitor */
      async function load(visitor) {
        for (let round = 0; !killed; round += 1) {
          try {
            const contested = await code(server, visitor, client);
            const first = await exchange(server, client, contested);
            if (first.status !== 200) throw new Error(`exchange: ${first.status}`);
            spent.push(contested);
            const second = await refresh(server, client, first.body.refresh_token);
            if (second.status !== 200) throw new Error(`refresh: ${second.status}`);
            rotated.push({ from: first.body.refresh_token, to: second.body.refresh_token });
            if (round % 3 === 1 && (await revoke(server, client, second.body.access_token)).status === 200) {
              revoked.push({ access: second.body.access_token });
            }
            if (round % 3 === 2) {
              doubtful.add(second.body.refresh_token);
              const { status } = await revoke(server, client, second.body.refresh_token);
              if (status === 200) revoked.push({ access: first.body.access_token, refresh: second.body.refresh_token });
            }
            if (round % 3 === 0) registered.push(await register(server));
          } catch (error) {
            // Whoever asks a server that is being killed gets no answer, and was promised nothing.
            if (!killed) throw error;
          }
          if ([spent, rotated, revoked, registered].every(({ length }) => length >= ENOUGH)) loaded();
        }
      }

      const work = visitors.map(load);
      await Promise.race([enough, Promise.all(work)]);
      killed = true;
      await server.kill();
      await Promise.all(work);
      await restart();

      for (const { access, refresh: token } of revoked) {
        assert.deepEqual((await introspect(server, client, access)).body, { active: false });
        if (token !== undefined) assert.equal((await refresh(server, client, token)).body.error, "invalid_grant");
      }
      const standing = rotated.filter(({ to }) => !doubtful.has(to));
      for (const { to } of standing) {
        assert.equal((await introspect(server, client, to)).body.active, true);
      }
      for (const { from, to } of standing.slice(-5)) {
        // The first retry of the rotation: the same successor, as if its answer had been lost.
        const again = await refresh(server, client, from);
        assert.deepEqual([again.status, again.body.refresh_token], [200, to]);
      }
      for (const contested of spent) {
        assert.equal((await exchange(server, client, contested)).body.error, "invalid_grant");
      }
      for (const known of registered) {
        assert.deepEqual((await introspect(server, known, "nonsense")).body, { active: false });
      }
    });
  }
});
