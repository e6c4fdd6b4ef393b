// @ts-check
// The gate as a proxy asks it: over HTTP, with headers as they come.
import assert from "node:assert/strict";
import { request as send } from "node:http";
import { after, before, describe, test } from "node:test";
import { api, ask, atOnce, browser, code, made, read, register, serveReady } from "./support.js";

const PROXY_SECRET = "proxy-canary-7hq2xw9ncz4kd5vtb8mf3y";
const QUOTAS = { default: { api: { counted: 2 } }, groups: { more: { api: { counted: 1 } } } };

describe("the gate", () => {
  /** @type {import("./support.js").Server} */
  let server;
  /** @type {string} */
  let token;

  before(async () => {
    server = await serveReady({ bindings: { PROXY_SECRET, QUOTAS: JSON.stringify(QUOTAS) } });
    token = await issue("portal");
  });
  after(() => server.stop());

  /** A token of a client for itself, for the service of this name. @param {string} service */
  async function issue(service) {
    const client = await register(server, { redirect_uris: [], grant_types: ["client_credentials"], scope: "a", default_resource: `https://${service}.example/` });
    const { body } = await ask(server, "/oauth/token", client, { grant_type: "client_credentials" });
    return body.access_token;
  }

  /**
   * What the gate answers about a request for `https://portal.example/x`.
   *
   * @param {string} query
   * @param {Record<string, string | string[]>} [headers]
   * @param {string} [path]
   * @param {string} [method]
   * @returns {Promise<{ status: number, headers: Record<string, any>, text: string }>}
   */
  function gate(query, headers = {}, path = "/ingress/auth", method = "GET") {
    const proxy = {
      "x-edgemint-proxy": PROXY_SECRET,
      "x-original-url": "https://portal.example/x",
      "x-original-method": "GET",
    };
    return new Promise((resolve, reject) => {
      // `fetch` would refuse some of these.
      const asked = send(`${server.url}${path}?${query}`, { method, headers: { ...proxy, ...headers } }, (answer) => {
        const chunks = /** @type {Buffer[]} */ ([]);
        answer.on("data", (chunk) => chunks.push(chunk));
        answer.on("end", () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text: Buffer.concat(chunks).toString() }));
      });
      asked.on("error", reject).end();
    });
  }
  const bearer = (/** @type {string} */ text) => ({ authorization: `Bearer ${text}` });

  test("whoever is no proxy finds what is found where there is nothing", async () => {
    const nothing = await gate("", { "x-edgemint-proxy": "" }, "/ingress/nothing");
    const told = (/** @type {Awaited<ReturnType<typeof gate>>} */ { status, headers, text }) => {
      const { "x-request-id": id, date, ...rest } = headers;
      return { status, text, headers: rest };
    };
    for (const path of ["/ingress/auth", "/ingress/anonymous"]) {
      for (const secret of ["", "x", PROXY_SECRET.slice(1), `${PROXY_SECRET}x`]) {
        assert.deepEqual(told(await gate("", { ...bearer(token), "x-edgemint-proxy": secret }, path)), told(nothing));
      }
      for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"]) {
        assert.deepEqual(told(await gate("", { "content-length": "0" }, path, method)), told(nothing), method);
      }
    }
  });

  test("a token passes where it is for, and says who it is", async () => {
    const { status, headers } = await gate("scope=a", bearer(token));
    assert.equal(status, 200);
    assert.match(headers["x-auth-request-user"], /^bot-/);
    assert.equal(headers.authorization, undefined);
    const elsewhere = await gate("scope=a", { ...bearer(token), "x-original-url": "https://other.example/x" });
    assert.equal(elsewhere.status, 401);
    const lacking = await gate("scope=b", bearer(token));
    assert.equal(lacking.status, 403);
    assert.match(lacking.headers["www-authenticate"], /error="insufficient_scope".*scope="b"/);
  });

  test("what a proxy forwards is believed where it says no URL of its own", async () => {
    const forwarded = { "x-forwarded-method": "GET", "x-forwarded-proto": "https", "x-forwarded-host": "portal.example", "x-forwarded-uri": "/x?y=%20" };
    /** @type {Record<string, any>} */
    const headers = { ...bearer(token), ...forwarded, "x-original-url": undefined, "x-original-method": undefined };
    for (const name of ["x-original-url", "x-original-method"]) headers[name] = [];
    assert.equal((await gate("scope=a", headers)).status, 200);
    assert.equal((await gate("scope=a", { ...headers, "x-forwarded-host": "other.example" })).status, 401);
    assert.equal((await gate("scope=a", { ...headers, "x-forwarded-host": [] })).status, 422);
  });

  test("a session passes by its cookie, which goes no further", async () => {
    const visitor = browser(server);
    await code(server, visitor, await register(server));
    const cookie = [...Array.from(visitor.cookies, ([name, value]) => `${name}=${value}`), "theirs=1", `odd=${token}`].join("; ");
    const { status, headers } = await gate("scope=user:token", { cookie });
    assert.equal(status, 200);
    assert.equal(headers["x-auth-request-user"], "admin");
    assert.equal(headers.cookie, "theirs=1");
    const split = await gate("scope=user:token", { cookie: ["theirs=1", cookie] });
    assert.equal(split.status, 200);
    assert.ok(!split.headers.cookie.includes("edgemint-session") && !split.headers.cookie.includes(token), split.headers.cookie);
    assert.equal((await gate("allow_cookies=false", { cookie })).status, 401);
  });

  test("S1.6: two services that one token is delegated to get a token each", async () => {
    const shown = await issue("portal");
    const delegated = async (/** @type {string} */ query) => {
      const { status, headers } = await gate(query, bearer(shown));
      assert.equal(status, 200);
      return headers["x-auth-request-token"];
    };
    const [payroll, guestbook, notebook] = [await delegated("delegate_to=payroll"), await delegated("delegate_to=guestbook"), await delegated("notebook=true")];
    assert.equal(new Set([payroll, guestbook, notebook]).size, 3);
    assert.equal(await delegated("delegate_to=payroll"), payroll);
    assert.equal((await gate("only_service=payroll", bearer(payroll))).headers["x-auth-request-service"], "payroll");
    for (const other of [guestbook, notebook]) assert.equal((await gate("only_service=payroll", bearer(other))).status, 403);
  });

  test("several values of Authorization are told apart", async () => {
    const { status, headers } = await gate("scope=a", { authorization: ["Basic bm90OnVz", `Bearer ${token}`] });
    assert.equal(status, 200);
    assert.equal(headers.authorization, "Basic bm90OnVz");
    const anonymous = await gate("", { authorization: ["Basic bm90OnVz", `bearer ${token}`], cookie: "a=b" }, "/ingress/anonymous");
    assert.equal(anonymous.status, 200);
    assert.equal(anonymous.headers.authorization, "Basic bm90OnVz");
    assert.equal(anonymous.headers.cookie, "a=b");
  });

  test("odd headers are no failure of ours", async () => {
    const long = "x".repeat(8000);
    for (const odd of ["\u00e9", "Bearer \u00e9", "\u0080\u00ff", ",", " ", "Bearer", `Bearer ${long}`, `${token}, ${token}`, "=?utf-8?q?x?="]) {
      for (const path of ["/ingress/auth", "/ingress/anonymous"]) {
        const { status } = await gate("", { authorization: odd, cookie: odd, "x-requested-with": odd, "x-forwarded-for": odd, origin: odd }, path);
        assert.ok([200, 401, 403].includes(status), `${status} ${odd.slice(0, 20)}`);
        assert.equal(status === 200, path === "/ingress/anonymous", odd.slice(0, 20));
      }
    }
    for (const url of ["", "x", "https://", "https://portal.example/\u00e9|\\", "https://portal.example/%", `https://portal.example/${long}`]) {
      const { status } = await gate("", { ...bearer(token), "x-original-url": url });
      assert.ok([200, 422].includes(status), `${status} ${url.slice(0, 30)}`);
    }
  });

  test("S1.4: of a hundred who ask at once everybody is delegated the same token", async () => {
    const service = await issue("portal");
    const query = "delegate_to=tap&delegate_scope=a";
    const asked = await atOnce(100, () => gate(query, bearer(service)));
    assert.deepEqual(new Set(asked.map(({ status }) => status)), new Set([200]));
    const [child, ...others] = new Set(asked.map(({ headers }) => headers["x-auth-request-token"]));
    assert.match(child, /^emt_/);
    assert.deepEqual(others, []);
    const internal = await gate("only_service=tap&scope=a", bearer(child));
    assert.equal(internal.status, 200);
    assert.equal(internal.headers["x-auth-request-service"], "tap");
    assert.equal((await gate("only_service=other", bearer(child))).status, 403);
    const nothing = await gate("delegate_to=tap", bearer(service));
    assert.notEqual(nothing.headers["x-auth-request-token"], child);
    const passed = await gate(`${query}&use_authorization=true`, bearer(service));
    assert.equal(passed.headers.authorization, `Bearer ${child}`);
  });

  test("a quota is counted, told, refused with a date, and overridden", async () => {
    const counted = await issue("counted");
    const headers = { ...bearer(counted), "x-original-url": "https://counted.example/" };
    const used = [];
    for (let times = 0; times < 2; times += 1) {
      const { status, headers: told } = await gate("service=counted", headers);
      assert.equal(status, 200);
      used.push([told["x-ratelimit-limit"], told["x-ratelimit-used"], told["x-ratelimit-remaining"], told["x-ratelimit-resource"]]);
    }
    assert.deepEqual(used, [["2", "1", "1", "counted"], ["2", "2", "0", "counted"]]);
    const refused = await gate("service=counted", headers);
    assert.equal(refused.status, 403);
    assert.equal(refused.headers["x-error-status"], "429");
    assert.equal(refused.headers["x-error-body"], refused.text);
    const wait = (Date.parse(refused.headers["retry-after"]) - Date.now()) / 1000;
    assert.ok(wait > -5 && wait <= 61, String(wait));
    assert.equal((await gate("service=portal", bearer(token))).headers["x-ratelimit-limit"], undefined);

    const path = "/api/v1/quota-overrides";
    assert.equal((await api(server, path)).status, 404);
    assert.equal((await api(server, path, { default: { apis: {} } }, "PUT")).status, 422);
    assert.equal((await api(server, path, { default: { api: { counted: 100 } } }, "PUT")).status, 200);
    assert.equal((await gate("service=counted", headers)).headers["x-ratelimit-limit"], "100");
    await server.reload();
    assert.equal((await api(server, path)).body.default.api.counted, 100);
    assert.equal((await gate("service=counted", headers)).headers["x-ratelimit-limit"], "100");
    assert.equal((await api(server, path, { default: { api: { counted: 0 } } }, "PUT")).status, 200);
    const blocked = await gate("service=counted", headers);
    assert.deepEqual([blocked.status, blocked.headers["x-error-status"]], [403, undefined]);
    assert.equal((await api(server, path, undefined, "DELETE")).status, 204);
    assert.equal((await api(server, path, undefined, "DELETE")).status, 404);
    assert.equal((await gate("service=counted", headers)).headers["x-ratelimit-limit"], "2");
    const { results } = (await api(server, "/api/v1/audit/?collection=quotas")).body;
    assert.deepEqual(results.map((/** @type {any} */ line) => line.action), ["deleted", "updated", "created"]);
    assert.equal(results[0].actor, "<bootstrap>");
  });

  test("who is put into a group has its quota from the next request on", async () => {
    const visitor = browser(server);
    await code(server, visitor, await register(server));
    const cookie = Array.from(visitor.cookies, ([name, value]) => `${name}=${value}`).join("; ");
    const limit = async () => (await gate("service=counted", { cookie })).headers["x-ratelimit-limit"];
    assert.equal(await limit(), "2");
    const { pk: group } = await made(server, "groups/", { name: "more" });
    const { results } = (await read(await fetch(`${server.url}/api/v1/users/?username=admin`, { headers: { authorization: `Bearer ${server.bindings.BOOTSTRAP_TOKEN}` } }))).body;
    const joined = await api(server, `/api/v1/users/${results[0].pk}/`, { groups: [group] }, "PATCH");
    assert.equal(joined.status, 200, joined.text);
    assert.equal(await limit(), "3");
  });
});
