// @ts-check
// Several workerds that share one set of objects: what stands at the gate ends at every one of them within the bound, and a
// hundred who ask at once at all of them are given one child. S1.4, S1.5, S1.10, IN-7.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { ADMINISTRATOR, api, atOnce, authorizeUrl, browser, cookieOf, formOf, ofOwn, read, register, serve } from "./support.js";

const EDGES = 3;
const ROUNDS = 5;
/** Between two requests of one credential at one edge. */
const POLL = 20;
const PROXY_SECRET = "proxy-canary-of-the-edges-4kd5vtb8mf3y";
const PERSON = { username: "eve", password: "long enough", first_name: "E", last_name: "V" };

describe("the gate at several edges", () => {
  /** @type {import("./support.js").Server} */
  let region;
  /** @type {import("./support.js").Server[]} */
  let edges;
  /** @type {import("./support.js").Client} */
  let web;
  /** The published bound, in milliseconds. @type {number} */
  let bound;

  before(async () => {
    region = await serve({ script: "tests/worker/region.js" });
    const bindings = { REGION: region.url, REVOCATION_MAX_AGE: "1", PROXY_SECRET };
    const first = await serve({ script: "tests/worker/edge.js", bindings });
    edges = [first];
    while (edges.length < EDGES) edges.push(await serve({ script: "tests/worker/edge.js", bindings: { ...bindings, ISSUER: first.url } }));
    bound = (await read(await fetch(`${first.url}/.well-known/openid-configuration`))).body.edgemint_revocation_max_age_ms;
    assert.equal((await api(first, "/api/v1/first-run", ADMINISTRATOR)).status, 201);
    web = await register(first);
    await made("scopes/", { name: "read", value: "read" });
    await made("roles/", { name: "reader", scopes: "read" });
    await made("accounts/", { ...PERSON, roles: ["reader"] });
  });
  after(() => Promise.all([...(edges ?? []), region].map((server) => server?.stop())));

  /** @param {string} path @param {object} body */
  async function made(path, body) {
    const answer = await api(edges[0], `/api/v1/${path}`, body);
    assert.equal(answer.status, 201, answer.text);
    return answer.body;
  }

  /** @param {number} index of the edge @param {Record<string, string>} headers @param {string} [query] */
  async function gate(index, headers, query = "") {
    const proxy = { "x-edgemint-proxy": PROXY_SECRET, "x-original-url": "https://portal.example/x", "x-original-method": "GET" };
    return fetch(`${edges[index].url}/ingress/auth?${query}`, { headers: { ...proxy, ...headers } });
  }

  async function signedIn() {
    const visitor = browser(edges[0]);
    await visitor.walk(authorizeUrl(edges[0], web), PERSON);
    return { visitor, cookie: cookieOf(visitor) };
  }

  /** @param {Awaited<ReturnType<typeof signedIn>>} person @param {string} method @param {string} path @param {object} [body] */
  const own = ({ visitor }, method, path, body) => ofOwn(edges[0], visitor, method, path, undefined, body);

  /** @param {Awaited<ReturnType<typeof signedIn>>} person */
  async function token(person) {
    const name = `t-${Math.random()}`;
    const { status, body, text, headers } = await own(person, "POST", "/api/v1/users/eve/tokens", { token_name: name, scopes: ["read"] });
    assert.equal(status, 201, text);
    return { headers: { authorization: `Bearer ${body.token}` }, path: new URL(headers.get("location") ?? "").pathname };
  }

  /** @param {Record<string, string>} headers */
  async function child(headers) {
    const answer = await gate(0, headers, "notebook=true");
    assert.equal(answer.status, 200);
    return { authorization: `Bearer ${answer.headers.get("x-auth-request-token")}` };
  }

  /**
   * That it passes everywhere, and after its end nowhere once the bound is over.
   *
   * @param {Record<string, string>} headers
   * @param {() => Promise<{ status: number, text: string }>} end
   * @param {string} [query]
   */
  async function ends(headers, end, query = "scope=read") {
    for (let edge = 0; edge < EDGES; edge += 1) assert.equal((await gate(edge, headers, query)).status, 200);
    const ended = await end();
    assert.ok(ended.status < 400, ended.text);
    const acknowledged = performance.now();
    await atOnce(EDGES, async (edge) => {
      for (;;) {
        const sent = performance.now() - acknowledged;
        const { status } = await gate(edge, headers, query);
        if (status !== 200) return assert.ok(status === 401 || status === 403, String(status));
        assert.ok(sent < bound, `passed ${sent} ms after the acknowledgement`);
        await pause(POLL);
      }
    });
  }

  test("a token that is deleted, and what was delegated from it", async () => {
    const person = await signedIn();
    for (let round = 0; round < ROUNDS; round += 1) {
      const { headers, path } = await token(person);
      const notebook = await child(headers);
      await ends(notebook, () => own(person, "DELETE", path));
      for (let edge = 0; edge < EDGES; edge += 1) assert.equal((await gate(edge, headers)).status, 401);
    }
  });

  test("a session that is signed out of, and what was delegated from it", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const { visitor, cookie } = await signedIn();
      const notebook = await child({ cookie });
      await ends(notebook, async () => {
        const form = formOf((await visitor.go("/logout")).text, "/logout");
        return visitor.go("/logout", { form: { ...form?.hidden } });
      });
      for (let edge = 0; edge < EDGES; edge += 1) assert.equal((await gate(edge, { cookie })).status, 401);
    }
  });

  test("what a role no longer gives", async () => {
    const role = (await api(edges[0], "/api/v1/roles/?name=reader")).body.results[0];
    for (let round = 0; round < ROUNDS; round += 1) {
      const { headers } = await token(await signedIn());
      await ends(headers, () => api(edges[0], `/api/v1/roles/${role.id}/`, { scopes: "" }, "PATCH"));
      assert.equal((await api(edges[0], `/api/v1/roles/${role.id}/`, { scopes: "read" }, "PATCH")).status, 200);
    }
  });

  test("everything of somebody who is disabled", async () => {
    const account = (await api(edges[0], "/api/v1/accounts/?username=eve")).body.results[0];
    for (let round = 0; round < ROUNDS; round += 1) {
      const person = await signedIn();
      const { headers } = await token(person);
      await ends(headers, () => api(edges[0], `/api/v1/accounts/${account.id}/`, { is_active: false }, "PATCH"));
      for (let edge = 0; edge < EDGES; edge += 1) assert.equal((await gate(edge, { cookie: person.cookie })).status, 401);
      assert.equal((await api(edges[0], `/api/v1/accounts/${account.id}/`, { is_active: true }, "PATCH")).status, 200);
    }
  });

  test("S1.4: a hundred who ask at once at all edges are given one and the same child", async () => {
    const { headers } = await token(await signedIn());
    for (const query of ["notebook=true", "delegate_to=portal&delegate_scope=read", "delegate_to=other"]) {
      const answers = await atOnce(100, (index) => gate(index % EDGES, headers, query));
      const children = new Set(answers.map((answer) => answer.headers.get("x-auth-request-token")));
      assert.deepEqual(Array.from(new Set(answers.map(({ status }) => status))), [200]);
      assert.equal(children.size, 1, query);
    }
  });
});
