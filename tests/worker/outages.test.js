// @ts-check
// Services that we control behind the bindings: what every endpoint answers while one of them is away or slow, and
// that nothing is half done afterwards. Checklist TE-16, OPS-3.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { root } from "../../scripts/lib/steps.mjs";
import { DEVICE, answered, columns, described, expected, markdown, rows } from "./outages.js";
import { ADMINISTRATOR, api, ask, authorizeUrl, browser, code, exchange, formOf, introspect, read, refresh, register, revoke, serveReady } from "./support.js";

const OWNER = "c-resource-server";
const MACHINE = "c-machine";

/** @param {Record<string, string>} bindings */
async function world(bindings) {
  const server = await serveReady({
    script: "tests/worker/faulty.js",
    bindings: {
      PROXY_SECRET: "proxy-canary-7hq2xw9ncz4kd5vtb8mf3y",
      // Whoever asks for the client that is a machine is counted.
      QUOTAS: JSON.stringify({ default: { api: { [MACHINE]: 1_000_000 } } }),
      ...bindings,
    },
    workers: [
      {
        name: "caller",
        modules: [{ type: "ESModule", path: "caller.js", contents: readFileSync(join(root, "tests/worker/caller.js"), "utf8") }],
        compatibilityDate: "2026-05-03",
        serviceBindings: { OWNER: /** @type {any} */ ({ name: "edgemint", entrypoint: "Edgemint", props: { client: OWNER } }) },
      },
    ],
  });
  const caller = await server.mf.getWorker("caller");
  const machine = { redirect_uris: [], grant_types: ["client_credentials"], scope: "a" };
  let count = 0;
  const made = {
    server,
    visitor: browser(server),
    client: await register(server),
    asking: await register(server, { implicit_consent: false }),
    machine: await register(server, { ...machine, client_id: MACHINE }),
    signer: await register(server, { ...machine, default_resource: "https://api.example/v1", danger_issue_mac_tokens: true }),
    device: await register(server, { redirect_uris: [], grant_types: [DEVICE] }),
    owner: await register(server, { ...machine, client_id: OWNER }),
    /** @param {string} method @param {unknown[]} values */
    bound: async (method, ...values) => read(/** @type {any} */ (await caller.fetch(`http://caller/OWNER/${method}`, { method: "POST", body: JSON.stringify(values) }))),
    next: () => (count += 1),
    /** @param {import("./faulty.js").Faults} faults */
    faults: async (faults) => (await read(await fetch(`${server.url}/faults`, { method: "POST", body: JSON.stringify(faults) }))).body,
    cold: () => fetch(`${server.url}/cold`, { method: "POST" }),
    fire: () => fetch(`${server.url}/fire`, { method: "POST" }),
    /** @param {string} key */
    version: async (key) => (await read(await fetch(`${server.url}/kv?key=${key}`))).body,
    /** @param {object} verb */
    directory: async (verb) => {
      const objects = /** @type {any} */ (await server.mf.getDurableObjectNamespace("DIRECTORY"));
      const at = { request: `test-${made.next()}`, now: Date.now() };
      return JSON.parse(await objects.getByName("directory").call(JSON.stringify({ at, verb })));
    },
    /** Until KV has the keys of now: a client that was registered behind several changes of them waits for their pauses. */
    async settled() {
      const { version } = (await made.directory({ read_keys: {} })).read_keys;
      await eventually(() => made.fire().then(() => made.version("keys:public")), (published) => published === version);
    },
    // Every copy that an isolate may have.
    async warm() {
      for (const path of ["/ready", "/login", "/.well-known/jwks.json"]) assert.equal((await read(await fetch(server.url + path))).status, 200);
      for (const client of [made.client, made.asking]) await code(server, made.visitor, client);
      for (const client of [made.client, made.asking, made.machine, made.device, made.owner]) {
        assert.equal((await introspect(server, client, "nothing")).status, 200);
      }
    },
  };
  await made.warm();
  return made;
}

/** @typedef {Awaited<ReturnType<typeof world>>} Worlds */

describe("outages", () => {
  /** @type {Worlds} */
  let asksAlways;
  /** @type {Worlds} */
  let hasCopy;

  before(async () => {
    asksAlways = await world({ REVOCATION_MAX_AGE: "0" });
    hasCopy = await world({ REVOCATION_MAX_AGE: "60" });
  });
  after(() => Promise.all([asksAlways?.server.stop(), hasCopy?.server.stop()]));

  for (const [name, { title, faults, fresh = false }] of Object.entries(columns)) {
    for (const fault of faults) {
      for (const cold of fresh ? [false] : [false, true]) {
        test(`${title}: ${JSON.stringify(fault)}, ${cold ? "an isolate that has just begun" : "an isolate with its copies"}`, async () => {
          const here = fresh ? hasCopy : asksAlways;
          await here.settled();
          /** @type {Record<string, string>} */
          const found = {};
          /** @type {Record<string, string>} */
          const promised = {};
          for (const row of rows) {
            promised[row.title] = expected(row, name, cold);
            const send = await row.prepare(here);
            if (cold) await here.cold();
            else await here.warm();
            await here.faults(fault);
            const answer = await send();
            await here.faults({});
            found[row.title] = outcome(row, here.server, answer);
            if (found[row.title] === "works") continue;
            const again = row.afterwards === "anew" ? await row.prepare(here) : send;
            const after = described(here.server, await again());
            const fine = after === row.healthy || (row.afterwards === "done" && after === row.repeated);
            if (!fine) found[row.title] += `, afterwards ${after}`;
          }
          assert.deepEqual(found, promised);
        });
      }
    }
  }

  test("SECURITY.md shows what these tests hold", () => {
    const text = readFileSync(join(root, "SECURITY.md"), "utf8");
    assert.ok(text.includes(markdown()), `SECURITY.md lacks:\n\n${markdown()}`);
  });

  test("one shard's outage is that of its own people", async () => {
    const { server, visitor, client, faults } = asksAlways;
    const statuses = [];
    for (let shard = 0; shard < 16; shard += 1) {
      const issued = await code(server, visitor, client);
      await faults({ ledger: "unreachable", shard: `shard-${shard}` });
      statuses.push((await exchange(server, client, issued)).status);
      await faults({});
    }
    assert.deepEqual([statuses.filter((status) => status === 503).length, statuses.filter((status) => status === 200).length], [1, 15]);
  });

  test("an answer that was lost on the way is asked for again, and is the same", async () => {
    const { server, visitor, client, faults } = asksAlways;
    const issued = await code(server, visitor, client);
    await faults({ ledger: "answer-lost" });
    const first = await exchange(server, client, issued);
    await faults({ ledger: "answer-lost" });
    const second = await refresh(server, client, first.body.refresh_token);
    await faults({ ledger: "answer-lost" });
    const third = await refresh(server, client, second.body.refresh_token);
    await faults({});
    assert.deepEqual([first.status, second.status, third.status], [200, 200, 200]);
    assert.equal((await introspect(server, client, third.body.access_token)).body.active, true);
    assert.equal((await introspect(server, client, third.body.refresh_token)).body.active, true);
  });

  test("nobody waits for ever, and a request waits for the feed once", async () => {
    const { server, visitor, client, faults, cold } = asksAlways;
    const { body } = await exchange(server, client, await code(server, visitor, client));
    await cold();
    await faults({ feed: "silent" });
    assert.equal((await introspect(server, client, body.access_token)).status, 503);
    assert.deepEqual((await faults({ feed: "silent", only: "object" })).waits, [5_000]);
    assert.equal((await revoke(server, client, body.access_token)).status, 503);
    assert.deepEqual((await faults({ kv: "silent" })).waits, [3_000]);
    const { location } = await visitor.walk(authorizeUrl(server, client));
    assert.equal(location?.searchParams.get("error"), "temporarily_unavailable");
    assert.deepEqual((await faults({})).waits, [5_000]);
  });

  describe("without KV, directory, ledger and feed", () => {
    const everything = /** @type {const} */ ({ kv: "500", directory: "unreachable", ledger: "unreachable", feed: "unreachable" });

    for (const format of ["sealed", "jwt"]) {
      test(`discovery, keys and validation go on within the bound, and validation fails closed after it: ${format}`, async () => {
        const { server, owner, bound, faults, cold, warm } = hasCopy;
        const client = await register(server, { access_token_format: format, redirect_uris: [], grant_types: ["client_credentials"], scope: "a" });
        const { access_token } = (await ask(server, "/oauth/token", client, { grant_type: "client_credentials" })).body;
        const bindings = (await ask(server, "/oauth/token", owner, { grant_type: "client_credentials" })).body.access_token;
        await cold();
        await warm();
        await introspect(server, client, access_token);
        const checks = async () => [
          described(server, await introspect(server, client, access_token)),
          described(server, await ask(server, "/oauth/check_token", client, { token: access_token })),
          (await bound("introspect", bindings)).body,
          (await bound("validate", { authorization: `Bearer ${bindings}` })).body,
        ];
        const documents = async () => {
          for (const path of ["openid-configuration", "oauth-authorization-server", "jwks.json", "oauth-protected-resource"]) {
            assert.equal((await read(await fetch(`${server.url}/.well-known/${path}`))).status, 200);
          }
        };
        await faults({ ...everything, ahead: 50_000 });
        const [introspected, checked, asked, validated] = await checks();
        assert.deepEqual([introspected, checked, asked.active, validated.active], ["200 active", "200 active", true, true]);
        await documents();

        await faults({ ...everything, ahead: 61_000 });
        const unavailable = { error: "unavailable", status: 503, challenge: null };
        assert.deepEqual(await checks(), ["503", "503", unavailable, unavailable]);
        await documents();
        await faults({ ...everything, ahead: 30 * 60_000 });
        assert.deepEqual(await checks(), ["503", "503", unavailable, unavailable]);
        await documents();
        await faults({});
        assert.deepEqual((await checks())[0], "200 active");
      });
    }
  });

  describe("KV", () => {
    test("a client that KV does not know yet is found, and one that it knows an old version of is not believed", async () => {
      const { server, faults, cold, directory } = asksAlways;
      const client = await register(server, { redirect_uris: [], grant_types: ["client_credentials"], scope: "a" });
      const issue = async () => {
        await cold();
        return (await ask(server, "/oauth/token", client, { grant_type: "client_credentials" })).status;
      };
      await faults({ kv: "missed" });
      assert.equal(await issue(), 200);
      await faults({});
      await eventually(() => asksAlways.version(`client:${client.client_id}`), (version) => version === 1);

      await faults({ kv: "stale" });
      assert.equal(await issue(), 200);
      const { find_client } = await directory({ find_client: { id: client.client_id } });
      const replaced = await directory({ replace_client: { client: { ...find_client, version: 2, enabled: false } } });
      assert.deepEqual(replaced, { replace_client: "replaced" });
      assert.equal(await issue(), 401);
      await faults({});
      assert.equal(await issue(), 401);
    });

    // KV's own limit, which the pause before a second write keeps; and one that no pause keeps.
    for (const kvLimit of [1_000, 2_000]) {
      test(`what changes twice within a second lands, though KV takes one write in ${kvLimit} ms`, async () => {
        const { server, faults, version: published, fire, directory } = asksAlways;
        await faults({ kvLimit });
        const { client_id: id } = await register(server);
        for (const version of [2, 3]) {
          const { find_client } = await directory({ find_client: { id } });
          assert.deepEqual(await directory({ replace_client: { client: { ...find_client, version } } }), { replace_client: "replaced" });
        }
        await eventually(
          () => fire().then(() => published(`client:${id}`)),
          (version) => version === 3,
        );
        assert.equal((await faults({})).refused > 0, kvLimit > 1_000);
      });
    }

    test("a write that KV refuses is repeated until it lands", async () => {
      const { server, faults, version: published, fire } = asksAlways;
      await faults({ kv: "500", only: "object" });
      const client = await register(server);
      await fire();
      assert.equal(await published(`client:${client.client_id}`), null);
      await faults({});
      await fire();
      assert.equal(await published(`client:${client.client_id}`), 1);
    });
  });

  describe("nothing is half done after an outage:", () => {
    test("a code that was spent unseen opens nothing any more, and one that was not still does", async () => {
      const { server, visitor, client, faults } = asksAlways;
      const seen = await code(server, visitor, client);
      await faults({ ledger: "done-and-silent" });
      const lost = await exchange(server, client, seen);
      await faults({});
      assert.deepEqual([lost.status, lost.body.access_token], [503, undefined]);
      assert.equal((await exchange(server, client, seen)).body.error, "invalid_grant");
      const { body } = await exchange(server, client, await code(server, visitor, client));
      assert.equal((await introspect(server, client, body.access_token)).body.active, true);
    });

    test("a refresh whose answer never came is made good, and the family has one living head", async () => {
      const { server, visitor, client, faults } = asksAlways;
      const { body: first } = await exchange(server, client, await code(server, visitor, client));
      await faults({ ledger: "done-and-silent" });
      assert.equal((await refresh(server, client, first.refresh_token)).status, 503);
      await faults({});
      const second = await refresh(server, client, first.refresh_token);
      assert.equal(second.status, 200);
      assert.equal((await introspect(server, client, first.refresh_token)).body.active, false);
      assert.equal((await introspect(server, client, second.body.refresh_token)).body.active, true);
      assert.equal((await refresh(server, client, second.body.refresh_token)).status, 200);
    });

    test("a revocation that the feed did not hear of is not acknowledged, and comes into force all the same", async () => {
      const { server, visitor, client, faults, fire } = asksAlways;
      for (const kind of /** @type {const} */ (["access_token", "refresh_token"])) {
        for (const feed of /** @type {const} */ (["unreachable", "silent", "done-and-silent"])) {
          const { body } = await exchange(server, client, await code(server, visitor, client));
          await faults({ feed, only: "object" });
          assert.equal((await revoke(server, client, body[kind])).status, 503, `${kind}, ${feed}`);
          await faults({});
          await fire();
          assert.equal((await introspect(server, client, body.access_token)).body.active, false, `${kind}, ${feed}`);
          assert.equal((await revoke(server, client, body[kind])).status, 200, `${kind}, ${feed}`);
        }
      }
    });

    test("a revocation whose answer never came holds, and says so when it is repeated", async () => {
      const { server, visitor, client, faults } = asksAlways;
      const { body } = await exchange(server, client, await code(server, visitor, client));
      await faults({ ledger: "done-and-silent" });
      assert.equal((await revoke(server, client, body.refresh_token)).status, 503);
      await faults({});
      assert.equal((await introspect(server, client, body.access_token)).body.active, false);
      assert.equal((await revoke(server, client, body.refresh_token)).status, 200);
    });

    test("a sign-in that failed leaves no cookie, and the person begins again", async () => {
      const { server, client, faults } = asksAlways;
      for (const ledger of /** @type {const} */ (["unreachable", "silent", "done-and-silent"])) {
        const visitor = browser(server);
        const page = await visitor.go(/** @type {string} */ ((await visitor.go(authorizeUrl(server, client))).headers.get("location")));
        const found = formOf(page.text, "/login");
        await faults({ ledger });
        const answer = await visitor.go("/login", { form: { ...found?.hidden, ...ADMINISTRATOR } });
        await faults({});
        assert.equal(answer.status, 503, ledger);
        assert.deepEqual(Array.from(visitor.cookies.keys()), ["edgemint-browser"], ledger);
        assert.ok(await code(server, visitor, client), ledger);
      }
    });

    test("who was not signed out is not told so, and is signed out at the next try", async () => {
      const { server, client, faults } = asksAlways;
      const visitor = browser(server);
      await code(server, visitor, client);
      const leave = async () => {
        const form = formOf((await visitor.go("/logout")).text, "/logout");
        return () => visitor.go("/logout", { form: { ...form?.hidden } });
      };
      const first = await leave();
      await faults({ ledger: "unreachable" });
      assert.equal((await first()).status, 503);
      await faults({});
      assert.ok(visitor.cookies.has("edgemint-session"));
      assert.ok(await code(server, visitor, client, { prompt: "none" }));
      assert.notEqual((await (await leave())()).status, 503);
      const { location } = await visitor.walk(authorizeUrl(server, client, { prompt: "none" }));
      assert.equal(location?.searchParams.get("error"), "login_required");
    });

    test("a registration that failed took no name and published nothing", async () => {
      const { server, faults, version: published, fire } = asksAlways;
      const metadata = { client_id: "c-of-an-outage", grant_types: ["client_credentials"], scope: "a" };
      for (const directory of /** @type {const} */ (["unreachable", "silent"])) {
        await faults({ directory });
        assert.equal((await api(server, "/oauth/register", metadata)).status, 503);
        await faults({});
        await fire();
        assert.equal(await published("client:c-of-an-outage"), null);
      }
      assert.equal((await api(server, "/oauth/register", metadata)).status, 201);
    });

    test("an account that its shard did not hear of is whole as soon as the shard is back", async () => {
      const { server, client, faults, fire } = asksAlways;
      const account = { first_name: "A", last_name: "B", username: "of-an-outage", password: "long enough" };
      await faults({ ledger: "unreachable" });
      assert.equal((await api(server, "/api/v1/accounts/", account)).status, 503);
      await faults({});
      await fire();
      const visitor = browser(server);
      const { location } = await visitor.walk(authorizeUrl(server, client), account);
      assert.ok(location?.searchParams.get("code"));
    });

    test("a consent that could not be kept gives no code, and is asked for again", async () => {
      const { server, visitor, faults } = asksAlways;
      for (const ledger of /** @type {const} */ (["unreachable", "silent", "done-and-silent"])) {
        const client = await register(server, { implicit_consent: false });
        const start = await visitor.go(authorizeUrl(server, client));
        const page = await visitor.go(/** @type {string} */ (start.headers.get("location")));
        const form = formOf(page.text, "/consent");
        await faults({ ledger });
        const answer = await visitor.go("/consent", { form: { ...form?.hidden, decision: "allow" } });
        await faults({});
        assert.equal(answer.status, 503, ledger);
        assert.equal((await exchange(server, client, await code(server, visitor, client))).status, 200, ledger);
      }
    });
  });
});

/**
 * @template T
 * @param {() => Promise<T>} ask
 * @param {(answer: T) => boolean} isIt
 * @returns {Promise<T>}
 */
async function eventually(ask, isIt) {
  // As long as the runner lets a file run.
  for (;;) {
    const answer = await ask();
    if (isIt(answer)) return answer;
  }
}

/**
 * @param {import("./outages.js").Row} row
 * @param {{ url: string }} server
 * @param {import("./support.js").Answer} answer
 * @returns {string}
 */
function outcome(row, server, answer) {
  const { status, headers, body } = answer;
  if (status === 503 || headers.get("location")?.includes("error=")) {
    // Nothing of ours leaves with a failure.
    assert.doesNotMatch(`${headers.get("location")} ${answer.text}`, /em[acr]_[\w-]{20}/, row.title);
  }
  if (body?.error === "unavailable") {
    assert.deepEqual(body, { error: "unavailable", status: 503, challenge: null });
    return "unavailable";
  }
  if (status === 503) {
    assert.equal(headers.get("retry-after"), "1", row.title);
    assert.equal(headers.get("cache-control"), "no-store", row.title);
    assert.deepEqual(headers.getSetCookie().filter((line) => line.includes("session=")), [], row.title);
    if (headers.get("content-type") === "application/json") assert.equal(body.error, "temporarily_unavailable", row.title);
    return "503";
  }
  const found = described(server, answer);
  if (found === "303 temporarily_unavailable") {
    const said = answered(new URL(/** @type {string} */ (headers.get("location"))));
    assert.deepEqual([said.get("iss"), said.has("code"), said.has("access_token")], [server.url, false, false], row.title);
    return "temporarily_unavailable";
  }
  return found === row.healthy ? "works" : found;
}
