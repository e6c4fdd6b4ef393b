// @ts-check
// What may happen once happens once, however many ask at the same time. Checklist AC-2 to AC-4, RT-3 to RT-5.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ADMINISTRATOR, api, atOnce, browser, code, exchange, introspect, refresh, register, serveReady } from "./support.js";

const ROUNDS = 200;
const RACERS = 20;
/** One rotation, and as many retries of it as `MOST_RETRIES` in `src/token/refresh.rs` allows. */
const ANSWERED = 4;

describe("races", () => {
  /** @type {import("./support.js").Server} */
  let server;
  /** @type {ReturnType<typeof browser>} */
  let visitor;
  /** @type {import("./support.js").Client} */
  let client;

  before(async () => {
    server = await serveReady();
    visitor = browser(server);
    client = await register(server);
    await code(server, visitor, client);
  });
  after(() => server.stop());

  /** @param {import("./support.js").Answer[]} answers */
  const won = (answers) => answers.filter(({ status }) => status === 200);

  /** @param {import("./support.js").Answer[]} answers */
  function assertRestRefused(answers) {
    for (const { status, body } of answers) {
      if (status !== 200) assert.deepEqual([status, body.error], [400, "invalid_grant"]);
    }
  }

  test("AC-2, AC-3: one of many redemptions succeeds, and what it got dies", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const contested = await code(server, visitor, client);
      const answers = await atOnce(RACERS, () => exchange(server, client, contested));
      assert.equal(won(answers).length, 1);
      assertRestRefused(answers);
      const [{ body }] = won(answers);
      assert.deepEqual((await introspect(server, client, body.access_token)).body, { active: false });
      assert.equal((await refresh(server, client, body.refresh_token)).body.error, "invalid_grant");
    }
  });

  test("AC-4: redemptions that fail a check take nothing from the one that passes", async () => {
    const wrong = "wrong-verifier-".repeat(3);
    for (let round = 0; round < ROUNDS; round += 1) {
      const contested = await code(server, visitor, client);
      const right = round % RACERS;
      const answers = await atOnce(RACERS, (index) => exchange(server, client, contested, index === right ? {} : { code_verifier: wrong }));
      assert.equal(answers[right].status, 200);
      assert.equal(won(answers).length, 1);
      assertRestRefused(answers);
      const { body } = answers[right];
      assert.equal((await introspect(server, client, body.access_token)).body.active, true);
      assert.equal((await introspect(server, client, body.refresh_token)).body.active, true);
    }
  });

  test("RT-4: a few refreshes at once get one successor, which lives", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const { body: first } = await exchange(server, client, await code(server, visitor, client));
      const answers = await atOnce(ANSWERED, () => refresh(server, client, first.refresh_token));
      assert.equal(won(answers).length, ANSWERED);
      const successors = new Set(answers.map(({ body }) => body.refresh_token));
      assert.equal(successors.size, 1);
      const [successor] = successors;
      assert.notEqual(successor, first.refresh_token);
      assert.equal(new Set(answers.map(({ body }) => body.access_token)).size, ANSWERED);
      assert.equal((await introspect(server, client, first.refresh_token)).body.active, false);
      assert.equal((await introspect(server, client, successor)).body.active, true);
      for (const { body } of answers) {
        assert.equal((await introspect(server, client, body.access_token)).body.active, true);
      }
    }
  });

  test("RT-3, RT-5: more refreshes than retries explain end the family", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const { body: first } = await exchange(server, client, await code(server, visitor, client));
      const answers = await atOnce(RACERS, () => refresh(server, client, first.refresh_token));
      assert.ok(won(answers).length >= 1 && won(answers).length <= ANSWERED);
      assertRestRefused(answers);
      const successors = new Set(won(answers).map(({ body }) => body.refresh_token));
      assert.equal(successors.size, 1);
      const [successor] = successors;
      assert.equal((await refresh(server, client, successor)).body.error, "invalid_grant");
      for (const { body } of won(answers)) {
        assert.deepEqual((await introspect(server, client, body.access_token)).body, { active: false });
      }
      assert.deepEqual((await introspect(server, client, first.access_token)).body, { active: false });
    }
  });

  test("RT-4: a retry after the successor was used ends the family", async () => {
    const { body: first } = await exchange(server, client, await code(server, visitor, client));
    const { body: second } = await refresh(server, client, first.refresh_token);
    const { body: third } = await refresh(server, client, second.refresh_token);
    assert.equal((await refresh(server, client, first.refresh_token)).body.error, "invalid_grant");
    assert.equal((await refresh(server, client, third.refresh_token)).body.error, "invalid_grant");
    assert.equal((await introspect(server, client, third.access_token)).body.active, false);
  });

  test("of many clients with one name, one is registered", async () => {
    const name = "c-wanted-by-many";
    const metadata = { client_id: name, grant_types: ["client_credentials"], scope: "a" };
    const answers = await atOnce(RACERS, () => api(server, "/oauth/register", metadata));
    assert.equal(answers.filter(({ status }) => status === 201).length, 1);
    assert.ok(answers.every(({ status }) => status === 201 || status === 400));
  });

  test("of many accounts with one name, one is created", async () => {
    const again = await atOnce(5, () => api(server, "/api/v1/first-run", ADMINISTRATOR));
    assert.deepEqual(new Set(again.map(({ status }) => status)), new Set([409]));
    const account = { first_name: "A", last_name: "B", username: "wanted", password: "long enough" };
    const answers = await atOnce(5, () => api(server, "/api/v1/accounts/", account));
    assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 409, 409, 409, 409]);
  });
});
