// @ts-check
/** What has to be true after a crash. */
import assert from "node:assert/strict";
import { authorizeUrl, exchange, introspect, read, refresh } from "../support.js";
import { isKnown, isRefused, opensNothing, signsIn } from "./requests.js";

/**
 * @typedef {import("./world.js").World} World
 * @typedef {import("./world.js").Client} Client
 * @typedef {import("./world.js").Family} Family
 */

/** Checks under way at once. */
const AT_ONCE = 8;
/** In milliseconds: codes live for a minute, a rotation may be retried for half of one. */
const CODE_LIVES = 50_000;
const GRACE = 20_000;

/**
 * Sends again what got no answer, as a client would that knows nothing of the crash.
 *
 * @param {World} world
 */
export async function settle(world) {
  const doubts = [...world.doubts];
  world.doubts.clear();
  await each(doubts, async ({ kind, send, settle: judge }) => {
    try {
      await judge(await send());
    } catch (error) {
      throw new Error(`${kind}, sent again`, { cause: error });
    }
  });
}

/**
 * @param {World} world
 * @param {{ families: Family[], clients: World["clients"], accounts: World["accounts"], ended: World["ended"] }} facts
 * @param {Client} plain
 */
export async function hold(world, { families, clients, accounts, ended }, plain) {
  await each(families, (family) => holds(world, family));
  await each(clients, ({ client }) => isKnown(world, client));
  await each(ended, (session) => opensNothing(world, session, plain));
  await each(accounts, (account) => signsIn(world, account));
  const { body } = await read(await fetch(`${world.server.url}/.well-known/jwks.json`));
  const kids = body.keys.map((/** @type {{ kid: string }} */ { kid }) => kid);
  for (const kid of world.keys) assert.ok(kids.includes(kid), "a key that was promised is published");
}

/**
 * What a code gave. Some that live are put to the proof that ends them: their code is sent again.
 *
 * @param {World} world
 * @param {Family} family
 */
async function holds(world, family) {
  const { server, chance } = world;
  const { code, before } = family;
  assert.notEqual(family.state, "doubtful");
  if (family.state === "alive") {
    for (const { token, revoked } of family.access) {
      if (revoked) await isRefused(world, code.client, token);
      else assert.equal((await introspect(server, code.client, token)).body.active, true);
    }
    assert.equal((await introspect(server, code.client, family.head)).body.active, true);
    if (before && !before.retried && Date.now() - before.at < GRACE && chance.happens(0.5)) {
      before.retried = true;
      const again = await refresh(server, code.client, before.token);
      assert.deepEqual([again.status, again.body.refresh_token], [200, family.head]);
      family.access.push({ token: again.body.access_token, revoked: false });
    } else if (chance.happens(0.2)) {
      const next = await refresh(server, code.client, family.head);
      assert.equal(next.status, 200, next.text);
      family.head = next.body.refresh_token;
      family.before = undefined;
    }
  }
  const fresh = Date.now() - code.issuedAt < CODE_LIVES;
  if (fresh && (family.state === "dead" || chance.happens(0.6))) {
    const again = await exchange(server, code.client, code.text);
    assert.equal(again.body.error, "invalid_grant", "a code was accepted again");
    family.state = "dead";
  }
  if (family.state === "dead") {
    const { token } = family.access[family.access.length - 1];
    await isRefused(world, code.client, token);
    assert.deepEqual((await introspect(server, code.client, family.head)).body, { active: false });
    assert.equal((await refresh(server, code.client, family.head)).body.error, "invalid_grant");
  }
}

/**
 * Whether people are signed in, and their consents are, as they were told.
 *
 * @param {World} world
 * @param {Client} asking
 */
export async function peopleStand(world, asking) {
  await each(world.people, async ({ signedIn, agreed, visitor }) => {
    if (signedIn === undefined || agreed === undefined) return;
    const { location } = await visitor.walk(authorizeUrl(world.server, asking, { prompt: "none" }));
    const error = location?.searchParams.get("error") ?? null;
    assert.equal(error, !signedIn ? "login_required" : !agreed ? "consent_required" : null);
  });
}

/**
 * Copies in KV: every client has one in the end, also where the crash came between its
 * registration and the copy.
 *
 * @param {World} world
 */
export async function published(world) {
  const kv = await world.server.mf.getKVNamespace("KV");
  const end = Date.now() + 20_000;
  for (const { client } of world.clients) {
    const read = () => kv.get(`client:${client.client_id}`);
    while ((await read()) === null) {
      assert.ok(Date.now() < end, "a client that was acknowledged is not in KV");
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/**
 * @template T
 * @param {readonly T[]} list
 * @param {(item: T) => Promise<unknown>} check
 */
async function each(list, check) {
  const left = list.values();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const item of left) await check(item);
    }),
  );
}
