// @ts-check
// Several workerds that share one set of objects: an acknowledged end is refused at every one of them within the bound
// that the metadata publishes. Checklist IN-7.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { ADMINISTRATOR, api, ask, atOnce, authorizeUrl, browser, code, exchange, formOf, introspect, read, refresh, register, revoke, serve } from "./support.js";

const EDGES = 3;
const TRIALS = 200;
const AT_ONCE = 20;
const RESOURCE = "https://resource.example/";
/** Between two checks of one token at one edge. */
const POLL = 20;

/** @typedef {{ url: string }} Edge */
/** When the last check that succeeded and the first that did not were sent, after the acknowledgement. @typedef {{ accepted: number, refused: number }} Refused */
/** @typedef {{ token: string, end: (edge: Edge) => Promise<unknown>, afterwards?: () => Promise<unknown> }} Trial */

describe("several edges, one set of objects", () => {
  /** @type {import("./support.js").Server} */
  let region;
  /** @type {import("./support.js").Server[]} */
  let edges;
  /** @type {import("./support.js").Client} */
  let checker;
  /** @type {import("./support.js").Client} */
  let web;
  /** @type {import("./support.js").Client[]} */
  let machines;
  /** The published bound, in milliseconds. @type {number} */
  let bound;
  let count = 0;
  let stopped = false;
  /** @type {Promise<unknown>} */
  let traffic;
  /** What went wrong with it, if anything did. @type {unknown} */
  let broken;

  before(async () => {
    region = await serve({ script: "tests/worker/region.js" });
    const first = await serve({ script: "tests/worker/edge.js", bindings: { REGION: region.url, REVOCATION_MAX_AGE: "1" } });
    edges = [first];
    while (edges.length < EDGES) {
      edges.push(await serve({ script: "tests/worker/edge.js", bindings: { REGION: region.url, REVOCATION_MAX_AGE: "1", ISSUER: first.url } }));
    }
    const bounds = edges.map(async ({ url }) => (await read(await fetch(`${url}/.well-known/openid-configuration`))).body.edgemint_revocation_max_age_ms);
    bound = (await Promise.all(bounds))[0];
    assert.deepEqual(await Promise.all(bounds), Array(EDGES).fill(bound));
    assert.equal((await api(first, "/api/v1/first-run", ADMINISTRATOR)).status, 201);
    const machine = { redirect_uris: [], grant_types: ["client_credentials"], default_resource: RESOURCE };
    checker = await register(first, { ...machine, scope: "a", serves: [RESOURCE] });
    web = await register(first, { default_resource: RESOURCE });
    machines = [];
    for (let index = 0; index < AT_ONCE; index += 1) {
      // A scope of its own for every trial; a client may have 64.
      const scope = Array.from({ length: TRIALS / AT_ONCE }, (_, round) => `s-${index}-${round}`).join(" ");
      machines.push(await register(first, { ...machine, scope }));
    }
    // So that copies are warm and are renewed behind answers, as where there is traffic.
    const lasting = await machineToken(checker);
    traffic = Promise.all(
      edges.map(async (edge) => {
        while (!stopped) {
          assert.equal((await introspect(edge, checker, lasting)).body.active, true);
          await pause(POLL);
        }
      }),
    ).catch((error) => (broken = error));
  });
  after(async () => {
    stopped = true;
    await Promise.allSettled([traffic]);
    await Promise.all([...(edges ?? []), region].map((server) => server?.stop()));
  });

  /** @param {import("./support.js").Client} client @param {string} [scope] */
  async function machineToken(client, scope) {
    const { body, text } = await ask(edges[0], "/oauth/token", client, { grant_type: "client_credentials", ...(scope ? { scope } : {}) });
    assert.ok(body.access_token, text);
    return body.access_token;
  }

  /**
   * @param {ReturnType<typeof browser>} visitor
   * @param {string} scope
   */
  async function personTokens(visitor, scope) {
    const issued = await code(edges[0], visitor, web, { scope });
    const { body, text } = await exchange(edges[count % EDGES], web, issued);
    assert.ok(body.access_token, text);
    return body;
  }

  /**
   * A verb of an object for which there is no route yet.
   *
   * @param {string} binding
   * @param {string} name
   * @param {object} verb
   */
  async function verb(binding, name, verb) {
    const at = { request: `test-${(count += 1)}`, now: Date.now() };
    const response = await fetch(`${region.url}/object/${binding}/${name}`, { method: "POST", body: JSON.stringify({ at, verb }) });
    const answer = JSON.parse(await response.text());
    assert.ok(!answer.refused && !answer.unavailable, JSON.stringify(answer));
    return answer;
  }

  /** @param {string} username */
  const account = async (username) => (await verb("DIRECTORY", "directory", { find_account: { username } })).find_account;

  /** The same password, hashed alike and written otherwise: a new one would cost a second for all of them. @param {string} hash */
  const otherwise = (hash) => (hash.includes("m=19456,t=2") ? hash.replace("m=19456,t=2", "t=2,m=19456") : hash.replace("t=2,m=19456", "m=19456,t=2"));

  /** @param {string} subject @param {object} change */
  const change = (subject, change) => verb("DIRECTORY", "directory", { change_account: { subject, password_hash: null, active: null, scope: null, ...change } });

  /** Each makes so many trials, whose ends do not touch each other. @type {Record<string, (round: number) => Promise<Trial[]>>} */
  const kinds = {
    async token() {
      return atOnce(AT_ONCE, async (index) => {
        const token = await machineToken(machines[index]);
        return { token, end: (edge) => acknowledged(revoke(edge, machines[index], token)) };
      });
    },
    async family() {
      const visitor = browser(edges[0]);
      await code(edges[0], visitor, web);
      return atOnce(AT_ONCE, async () => {
        const { access_token, refresh_token } = await personTokens(visitor, "openid offline_access");
        return {
          token: access_token,
          end: (edge) => acknowledged(revoke(edge, web, refresh_token)),
          afterwards: async () => assert.equal((await refresh(edges[1], web, refresh_token)).body.error, "invalid_grant"),
        };
      });
    },
    async session() {
      return atOnce(AT_ONCE, async () => {
        const visitor = browser(edges[0]);
        const { access_token } = await personTokens(visitor, "openid");
        return {
          token: access_token,
          async end(edge) {
            const kept = new Map(visitor.cookies);
            const form = formOf((await visitor.go(new URL("/logout", edge.url))).text, "/logout");
            const left = await visitor.go(new URL("/logout", edge.url), { form: { ...form?.hidden } });
            assert.ok(left.status < 400 && !visitor.cookies.has("edgemint-session"), left.text);
            // Somebody who copied the cookie.
            for (const [name, value] of kept) visitor.cookies.set(name, value);
          },
          async afterwards() {
            for (const edge of edges) {
              const { headers } = await visitor.go(authorizeUrl(edge, web, { prompt: "none" }));
              assert.equal(new URL(/** @type {string} */ (headers.get("location"))).searchParams.get("error"), "login_required");
            }
          },
        };
      });
    },
    async user(round) {
      return atOnce(AT_ONCE, async (index) => {
        const person = { first_name: "A", last_name: "B", username: `person-${index}`, password: "long enough" };
        if (round === 0) assert.equal((await api(edges[0], "/api/v1/accounts/", person)).status, 201);
        const { facts, password_hash } = await account(person.username);
        const visitor = browser(edges[0]);
        const { location } = await visitor.walk(authorizeUrl(edges[0], web, { scope: "openid offline_access" }), person);
        const { body } = await exchange(edges[index % EDGES], web, /** @type {string} */ (location?.searchParams.get("code")));
        // A new password, or an account that is disabled, until the next round.
        const disables = index % 2 === 0;
        return {
          token: body.access_token,
          end: () => change(facts.subject, disables ? { active: false } : { password_hash: otherwise(password_hash) }),
          afterwards: async () => disables && change(facts.subject, { active: true }),
        };
      });
    },
    async client() {
      return atOnce(AT_ONCE, async (index) => {
        const id = machines[index].client_id;
        const token = await machineToken(machines[index]);
        return {
          token,
          async end() {
            const { find_client: now } = await verb("DIRECTORY", "directory", { find_client: { id } });
            const next = { ...now, version: now.version + 1, generation: now.generation + 1 };
            assert.deepEqual(await verb("DIRECTORY", "directory", { replace_client: { client: next } }), { replace_client: "replaced" });
          },
        };
      });
    },
    async scope(round) {
      return atOnce(AT_ONCE, async (index) => {
        const scope = `s-${index}-${round}`;
        return {
          token: await machineToken(machines[index], scope),
          end: () => verb("FEED", "feed", { append: { source: `scopes-${index}`, entries: [[round + 1, { scope: [scope, 1] }]] } }),
        };
      });
    },
  };

  for (const [kind, prepare] of Object.entries(kinds)) {
    test(`IN-7: ${TRIALS} acknowledged ends of a ${kind} are refused at every edge within the bound`, async (t) => {
      /** @type {Refused[]} */
      const all = [];
      for (let round = 0; round < TRIALS / AT_ONCE; round += 1) {
        const trials = await prepare(round);
        for (const edge of edges) {
          const before = await Promise.all(trials.map(({ token }) => introspect(edge, checker, token)));
          assert.ok(before.every(({ body }) => body.active), `${kind}: ${JSON.stringify(before.map(({ text }) => text))}`);
        }
        all.push(...(await Promise.all(trials.map((trial, index) => untilRefused(trial, edges[(round + index) % EDGES])))).flat());
        await Promise.all(trials.map((trial) => trial.afterwards?.()));
      }
      assert.equal(all.length, TRIALS * EDGES);
      assert.equal(broken, undefined);
      const [accepted, refused] = [Math.max(...all.map(({ accepted }) => accepted)), Math.max(...all.map(({ refused }) => refused))];
      t.diagnostic(`${kind}: at worst accepted when asked ${Math.round(accepted)} ms, refused from ${Math.round(refused)} ms after the acknowledgement; the bound is ${bound} ms`);
    });
  }

  /**
   * Ends something at one edge, and checks it at all of them until each has refused it.
   *
   * @param {Trial} trial
   * @param {Edge} from
   * @returns {Promise<Refused[]>} of each edge
   */
  async function untilRefused({ token, end }, from) {
    await end(from);
    const acknowledged = performance.now();
    return Promise.all(
      edges.map(async (edge) => {
        for (let accepted = 0; ; ) {
          const sent = performance.now() - acknowledged;
          const { status, body } = await introspect(edge, checker, token);
          assert.equal(status, 200);
          if (!body.active) return { accepted, refused: sent };
          // The promise is about what is asked later than the bound.
          assert.ok(sent < bound, `accepted ${sent} ms after the acknowledgement`);
          accepted = sent;
          await pause(POLL);
        }
      }),
    );
  }

  test("IN-7: an edge that nobody asked anything in the meantime refuses at its first check", async () => {
    stopped = true;
    await traffic;
    for (let round = 0; round < 5; round += 1) {
      const token = await machineToken(machines[round]);
      for (const edge of edges) assert.equal((await introspect(edge, checker, token)).body.active, true);
      await acknowledged(revoke(edges[0], machines[round], token));
      // No edge is asked, so that none renews its copy behind an answer.
      await pause(bound);
      for (const edge of edges.slice(1)) assert.equal((await introspect(edge, checker, token)).body.active, false);
    }
  });
});

/** @param {Promise<import("./support.js").Answer>} answer */
async function acknowledged(answer) {
  const { status, text } = await answer;
  assert.equal(status, 200, text);
}
