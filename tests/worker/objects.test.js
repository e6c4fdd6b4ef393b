// @ts-check
/** What only the platform can show of the Durable Objects: traps, outages, crashes, races. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { follow } from "./feed.js";
import { startObjects } from "./objects.js";

/** In seconds, late enough that nothing is swept while a test runs. */
const NOW = 4_000_000_000;
const AUTHENTICATION = { time: NOW, methods: ["pwd"] };
const ANN = {
  subject: "u_ann",
  username: "ann",
  shard: 0,
  active: true,
  generation: 0,
  version: 1,
  scope: "openid",
};
const CLIENT = {
  id: "app",
  version: 1,
  generation: 0,
  enabled: true,
  name: "App",
  authentication: "none",
  grant_types: [],
  scope: "openid",
  access_token_lifetime: 600,
  signing: "ES256",
};

/** An entry module whose objects can be told to misbehave. */
const UNRULY = `
  import * as real from "../../src/objects.js";
  export class Directory extends real.Directory {
    fire() { return this.alarm(); }
    run(statement) { return [...this.ctx.storage.sql.exec(statement)]; }
  }
  export class Ledger extends real.Ledger {
    fire() { return this.alarm(); }
    count(table) { return [...this.ctx.storage.sql.exec("SELECT count(*) AS n FROM " + table)][0].n; }
  }
  export class Courier extends real.Courier {
    refusals = 0;
    told = [];
    refuse(times) { this.refusals = times; }
    heard() { return this.told; }
    call(json) {
      if (this.refusals-- > 0) throw new Error("the courier is away");
      this.told.push(...JSON.parse(json).verb.send_logouts.notices.map(([, { client }]) => client));
      return super.call(json);
    }
  }
  export class Feed extends real.Feed {
    refusals = 0;
    refuse(times) { this.refusals = times; }
    call(json) {
      if (json.includes('"append"') && this.refusals-- > 0) throw new Error("the feed is away");
      return super.call(json);
    }
  }
  export default { fetch: () => new Response("only objects here") };
`;

/** A core that traps after a verb has written, if the request id says so. */
const TRAPPING = `
  import * as real from "./real-core.js";
  export const trapped = real.trapped;
  export const enter = real.enter;
  export function core() {
    const exports = real.core();
    return {
      ...exports,
      ledger_call(sql, now, call) {
        const outcome = exports.ledger_call(sql, now, call);
        if (call.includes("trap-here")) exports.trap();
        return outcome;
      },
    };
  }
`;

/**
 * @param {string} request
 * @param {object} verb
 */
const call = (request, verb) => ({ at: { request, now: NOW * 1000 }, verb });

/** @param {Awaited<ReturnType<typeof startObjects>>} objects */
async function signIn(objects, session = "s1") {
  await objects.call("shard-0", call("put", { put_subject: { facts: ANN } }));
  const verb = {
    page: { key: `page:${session}`, expires_at: NOW + 900 },
    session,
    renew: null,
    subject: "u_ann",
    authentication: AUTHENTICATION,
    expires_at: NOW + 1000,
  };
  await objects.call("shard-0", call(`open-${session}`, { open_session: verb }));
}

/** @param {string} grant */
const spendCode = (grant) => ({
  spend_code: {
    grant,
    subject: "u_ann",
    generation: 0,
    client: "app",
    session: "s1",
    scope: "openid",
    audience: "app",
    offline: false,
    refreshable: true,
    authentication: AUTHENTICATION,
    expires_at: NOW + 1000,
  },
});

const endSession = (session = "s1") => ({ end_session: { session } });

/**
 * @template T
 * @param {() => Promise<T>} ask
 * @param {(answer: T) => boolean} enough
 */
async function eventually(ask, enough, patience = 15_000) {
  for (const end = Date.now() + patience; ; ) {
    const answer = await ask();
    if (enough(answer) || Date.now() > end) {
      return answer;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

it("a trap inside a verb rolls it back, and the next call works", async () => {
  const objects = await startObjects({ core: TRAPPING });
  try {
    const once = { spend_once: { key: "k", expires_at: NOW + 100 } };
    assert.deepEqual(await objects.call("shard-0", call("a", once)), { spend_once: "first" });
    for (const round of [1, 2, 3]) {
      const verb = { spend_once: { key: `k${round}`, expires_at: NOW + 100 } };
      await assert.rejects(objects.call("shard-0", call(`trap-here-${round}`, verb)));
      assert.deepEqual(await objects.call("shard-0", call("b", verb)), { spend_once: "first" });
    }
    assert.deepEqual(await objects.call("shard-0", call("c", once)), { spend_once: "again" });
  } finally {
    await objects.stop();
  }
});

it("what is no call is refused, and nothing else happens", async () => {
  const objects = await startObjects();
  try {
    for (const name of ["shard-0", "directory", "feed"]) {
      for (const nonsense of [null, [], {}, call("a", {}), call("a", { unknown: {} }), call("?", {})]) {
        assert.ok("refused" in (await objects.call(name, /** @type {any} */ (nonsense))));
      }
    }
  } finally {
    await objects.stop();
  }
});

it("of fifty parallel redemptions of a code exactly one is the first", async () => {
  const objects = await startObjects();
  try {
    await signIn(objects);
    const feed = await follow(objects);
    for (const grant of ["g1", "g2", "g3"]) {
      const calls = Array.from({ length: 50 }, (_, i) => call(`${grant}-${i}`, spendCode(grant)));
      const answers = await Promise.all(calls.map((each) => objects.call("shard-0", each)));
      const first = answers.filter((answer) => answer.spend_code.first);
      const again = answers.filter((answer) => answer.spend_code === "again");
      assert.deepEqual([first.length, again.length], [1, 49]);
      assert.deepEqual(await feed.news(), [{ grant }]);
    }
  } finally {
    await objects.stop();
  }
});

it("a revocation is acknowledged only when the feed has it, by whoever asks", async () => {
  const objects = await startObjects({ entry: UNRULY });
  try {
    await signIn(objects);
    const feed = await follow(objects);
    await (await objects.object("feed")).refuse(3);
    const read = { read_session: { session: "s1" } };
    assert.ok("unavailable" in (await objects.call("shard-0", call("a", endSession()))));
    assert.ok("unavailable" in (await objects.call("shard-0", call("a", endSession()))));
    // It was decided all the same; but who hears that there is no session takes it for over.
    assert.ok("unavailable" in (await objects.call("shard-0", call("b", read))));
    assert.deepEqual(await feed.news(), []);
    // Another request finds nothing to end, and still answers only now.
    assert.deepEqual(await objects.call("shard-0", call("c", endSession())), { end_session: null });
    assert.deepEqual(await feed.news(), [{ session: "s1" }]);
    assert.deepEqual(await objects.call("shard-0", call("d", read)), { read_session: null });
  } finally {
    await objects.stop();
  }
});

it("what nobody asks about again is told by the alarm", async () => {
  const objects = await startObjects({ entry: UNRULY });
  try {
    await signIn(objects);
    const feed = await follow(objects);
    await (await objects.object("feed")).refuse(1);
    assert.ok("unavailable" in (await objects.call("shard-0", call("a", endSession()))));
    const news = await eventually(feed.news, (entries) => entries.length > 0);
    assert.deepEqual(news, [{ session: "s1" }]);
  } finally {
    await objects.stop();
  }
});

it("clients are told of an end that the feed has nothing of: at once, or by the alarm", async () => {
  const objects = await startObjects({ entry: UNRULY });
  try {
    await signIn(objects);
    const feed = await follow(objects);
    const courier = await objects.object("courier");
    for (const [grant, refusals] of /** @type {const} */ ([["g1", 0], ["g2", 1]])) {
      const joins = { sub_mode: "subject", issuer: "https://id.example" };
      const verb = { ...spendCode(grant).spend_code, offline: true, issued_at: NOW + 1, joins };
      const at = { request: grant, now: (NOW + 1) * 1000 };
      assert.ok((await objects.call("shard-0", { at, verb: { spend_code: verb } })).spend_code.first);
      const before = (await courier.heard()).length;
      await courier.refuse(refusals);
      const end = { end_session: { session: "s1", client: "app" } };
      assert.deepEqual(await objects.call("shard-0", call(`end-${grant}`, end)), { end_session: null });
      assert.equal((await courier.heard()).length, before + 1 - refusals);
      const heard = await eventually(() => courier.heard(), (told) => told.length > before);
      assert.deepEqual(heard.slice(before), ["app"]);
    }
    assert.deepEqual(await feed.news(), []);
  } finally {
    await objects.stop();
  }
});

it("a crash before the feed was told loses nothing, even if nobody asks again", async () => {
  const persist = mkdtempSync(join(tmpdir(), "edgemint-objects-"));
  let objects = await startObjects({ entry: UNRULY, persist });
  try {
    await signIn(objects);
    const feed = await follow(objects);
    await (await objects.object("feed")).refuse(1000);
    assert.ok("unavailable" in (await objects.call("shard-0", call("a", endSession()))));
    assert.deepEqual(await feed.news(), []);
    await objects.crash();

    objects = await startObjects({ entry: UNRULY, persist });
    const again = await follow(objects);
    assert.equal(again.name, feed.name);
    const since = call("r", { since: { feed: feed.name, cursor: 0 } });
    const answer = await eventually(
      () => objects.call("feed", since),
      ({ since: { entries } }) => entries.length > 0,
    );
    assert.deepEqual(answer.since.entries, [{ session: "s1" }]);
  } finally {
    await objects.stop();
    rmSync(persist, { recursive: true, force: true });
  }
});

it("what was acknowledged is there after a crash", async () => {
  const persist = mkdtempSync(join(tmpdir(), "edgemint-objects-"));
  let objects = await startObjects({ persist });
  try {
    await signIn(objects);
    for (let i = 0; i < 20; i += 1) {
      await objects.call("shard-0", call(`a${i}`, spendCode(`g${i}`)));
    }
    await objects.crash();
    objects = await startObjects({ persist });
    for (let i = 0; i < 20; i += 1) {
      const answer = await objects.call("shard-0", call(`b${i}`, spendCode(`g${i}`)));
      assert.deepEqual(answer, { spend_code: "again" });
    }
  } finally {
    await objects.stop();
    rmSync(persist, { recursive: true, force: true });
  }
});

it("more shards take new subjects and move nobody", async () => {
  const persist = mkdtempSync(join(tmpdir(), "edgemint-objects-"));
  /** @type {number[]} */
  const shards = [];
  try {
    for (const count of ["2", "4", "3"]) {
      const objects = await startObjects({ persist, bindings: { LEDGER_SHARDS: count } });
      for (const _ of [1, 2, 3, 4]) {
        const name = `user${shards.length}`;
        const verb = {
          subject: `u_${name}`,
          username: name,
          password_hash: "phc",
          scope: "openid",
          profile: {},
          first_only: false,
        };
        const answer = await objects.call("directory", call(name, { create_account: verb }));
        shards.push(answer.create_account.created.shard);
      }
      await objects.stop();
    }
    assert.deepEqual(shards, [0, 1, 0, 1, 0, 1, 2, 3, 0, 1, 2, 3]);
  } finally {
    rmSync(persist, { recursive: true, force: true });
  }
});

it("clients and public keys are published, the newest last", async () => {
  const objects = await startObjects();
  try {
    const kv = await objects.miniflare.getKVNamespace("KV");
    await objects.call("directory", call("c1", { create_client: { client: CLIENT } }));
    for (const version of [2, 3, 4]) {
      const client = { ...CLIENT, version, name: `Version ${version}` };
      const answer = await objects.call("directory", call(`c${version}`, { replace_client: { client } }));
      assert.deepEqual(answer, { replace_client: "replaced" });
    }
    const key = {
      kid: "k1",
      algorithm: "ES256",
      public: "{}",
      wrapped: "private",
      signs_from: 0,
      published_until: null,
    };
    await objects.call("directory", call("k", { add_keys: { keys: [key], rotate: false } }));
    const read = (/** @type {string} */ name) => kv.getWithMetadata(name);
    const client = await eventually(() => read("client:app"), ({ metadata }) => metadata?.version === 4);
    const keys = await eventually(() => read("keys:public"), ({ value }) => value !== null);
    assert.deepEqual(keys.metadata, { version: 1 });
    // Sealed: who reads the namespace learns nothing of them, and who writes it can make none.
    for (const { value } of [client, keys]) assert.match(value, /^emx_[\w-]+$/);
  } finally {
    await objects.stop();
  }
});

it("the alarm forgets what has expired, and nothing else", async () => {
  const objects = await startObjects({ entry: UNRULY });
  try {
    const past = Math.floor(Date.now() / 1000) - 120;
    const at = { request: "a", now: (past - 1000) * 1000 };
    for (const [key, expires_at] of Object.entries({ old: past, skewed: past + 100, new: NOW })) {
      await objects.call("shard-0", { at, verb: { spend_once: { key, expires_at } } });
    }
    const limit = { most: 1, window: 1 };
    await objects.call("shard-0", { at, verb: { record_failure: { key: "k", limit } } });
    const shard = await objects.object("shard-0");
    assert.deepEqual([await shard.count("spent"), await shard.count("failures")], [3, 1]);
    await shard.fire();
    await shard.fire();
    assert.deepEqual([await shard.count("spent"), await shard.count("failures")], [2, 0]);
  } finally {
    await objects.stop();
  }
});

it("the alarm forgets the history from before the setting's days, in steps, and nothing of it since", async () => {
  const objects = await startObjects({ entry: UNRULY, bindings: { EDGEMINT_HISTORY_DAYS: "10" } });
  try {
    const day = 86_400_000;
    const noted = { actor: { name: "ann", address: null }, collection: "authorization_codes", record: "1" };
    for (const [grant, days] of Object.entries({ old: 11, young: 9 })) {
      const at = { request: grant, now: Date.now() - days * day };
      const verb = { end_code: { grant, subject: "u_ann", client: "app", session: "s", expires_at: NOW, noted } };
      await objects.call("shard-0", { at, verb });
    }
    const shard = await objects.object("shard-0");
    assert.equal(await shard.count("audit"), 2);
    await shard.fire();
    const left = await objects.call("shard-0", call("left", { list_ends: { filters: [], most: 9 } }));
    assert.deepEqual(left.list_ends.rows.map((/** @type {any} */ row) => row.request), ["young"]);

    const actor = { name: "ann", address: null };
    const role = (/** @type {string} */ name) => ({ change_record: { collection: "roles", change: { create: { name, description: "", scopes: "" } }, actor } });
    await objects.call("directory", call("r1", role("One")));
    const directory = await objects.object("directory");
    // More than one step takes: as old as the oldest.
    await directory.run(`INSERT INTO audit (time, request, collection, id, line)
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) SELECT time, 'many', collection, id, line FROM audit, n`);
    await directory.run(`UPDATE audit SET time = time - ${11 * day}`);
    await objects.call("directory", call("r2", role("Two")));
    const count = async () => (await directory.run("SELECT count(*) AS n FROM audit"))[0].n;
    await directory.fire();
    assert.equal(await count(), 502);
    await directory.fire();
    assert.equal(await count(), 1);
    await directory.fire();
    assert.equal(await count(), 1);
  } finally {
    await objects.stop();
  }
});

it("an object offers its callers nothing but the call", async () => {
  const objects = await startObjects();
  try {
    const directory = await objects.object("directory");
    for (const method of ["transaction", "settle", "drain", "deliver", "publish", "apply", "sql"]) {
      await assert.rejects(async () => directory[method]("{}"), undefined, method);
    }
  } finally {
    await objects.stop();
  }
});
