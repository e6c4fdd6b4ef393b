// @ts-check
/**
 * `kill -9` in the middle of the load: what was acknowledged is still true afterwards, nothing is
 * accepted twice, and a request that got no answer gets a right one when it is sent again.
 *
 * `EDGEMINT_CRASHES` says how often, `EDGEMINT_SEED` repeats the choices of a run.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { hold, peopleStand, published, settle } from "./crash/checks.js";
import { chanceOf } from "./crash/chance.js";
import { load } from "./crash/load.js";
import { createAccount } from "./crash/requests.js";
import { KINDS, world } from "./crash/world.js";
import { browser, code, exchange, introspect, read, refresh, register, serve, serveReady } from "./support.js";

const CRASHES = Number(process.env.EDGEMINT_CRASHES) || 100;
const SEED = Number(process.env.EDGEMINT_SEED) || Math.floor(Math.random() * 2 ** 32);
const PEOPLE = 8;
/** Requests of one load, before the planned one. */
const FEWEST = 20;
const MOST = 50;
/** Facts of each kind from before the last crash that are looked at again. */
const OLD = 4;

describe("a crash", () => {
  const persist = mkdtempSync(join(tmpdir(), "edgemint-crash-"));
  /** @type {import("./support.js").Server} */
  let server;
  /** @type {import("./support.js").Client} */
  let plain;

  before(async () => {
    server = await serveReady({ persist });
    plain = await register(server);
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
    const { body } = await exchange(server, plain, await code(server, visitor, plain));
    const keys = await jwks();
    assert.ok(keys.keys.length > 0);
    await server.stop();
    await restart();
    assert.deepEqual(await jwks(), keys);
    assert.equal((await introspect(server, plain, body.access_token)).body.active, true);
    assert.equal((await refresh(server, plain, body.refresh_token)).status, 200);
    assert.ok(await code(server, visitor, plain, { prompt: "none" }));
  });

  test(`of ${CRASHES} none loses what was acknowledged or accepts anything twice`, async (t) => {
    const chance = chanceOf(SEED);
    const known = world({ server, chance });
    const asking = await register(server, { implicit_consent: false });
    const clients = { plain, asking };
    known.clients.push({ client: plain }, { client: asking });
    for (let i = 0; i < PEOPLE; i += 1) {
      const { username, password } = await createAccount(known);
      known.people.push({ username, password, visitor: browser(server), signedIn: false, agreed: false, withdrawnAt: 0 });
    }
    let crash = 0;
    const began = performance.now();
    try {
      while (crash < CRASHES) {
        crash += 1;
        const facts = { families: known.families, clients: known.clients, accounts: known.accounts, ended: known.ended };
        const kind = KINDS[crash % KINDS.length];
        known.plan = { kind, after: known.sent + FEWEST + Math.floor(chance.next() * (MOST - FEWEST)) };
        const old = sizes(facts);
        await load(known, clients);
        await restart();
        known.server = server;
        await settle(known);
        /** @template T @param {T[]} list @param {number} size @returns {T[]} */
        const sample = (list, size) => [...list.slice(size), ...chance.some(list.slice(0, size), OLD)];
        await hold(known, {
          families: sample(facts.families, old.families),
          clients: sample(facts.clients, old.clients),
          ended: sample(facts.ended, old.ended),
          // A password is slow to check.
          accounts: chance.some(facts.accounts.filter(({ seen }) => !seen), 1),
        }, plain);
        await peopleStand(known, asking);
      }
      crash += 1;
      await hold(known, known, plain);
      await published(known);
    } catch (error) {
      throw new Error(`after crash ${crash}, EDGEMINT_SEED=${SEED}: ${error}`, { cause: error });
    }
    t.diagnostic(`seed ${SEED}, ${CRASHES} crashes in ${Math.round((performance.now() - began) / 1000)} s`);
    for (const [name, counts] of Object.entries({
      acknowledged: known.acknowledged,
      interrupted: known.interrupted,
      "sent again": known.retries,
    })) {
      const figures = Object.entries(counts).sort().map(([kind, count]) => `${kind} ${count}`);
      t.diagnostic(`${name}: ${figures.join(", ")}`);
    }
  });
});

/** @param {Record<string, unknown[]>} facts */
function sizes(facts) {
  return Object.fromEntries(Object.entries(facts).map(([name, { length }]) => [name, length]));
}
