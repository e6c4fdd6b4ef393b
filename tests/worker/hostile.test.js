// @ts-check
// Input that nobody honest sends. Whatever it is, the answer is well formed, and it is not our fault.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import { generator } from "../fuzz/requests.js";
import { BOOTSTRAP_TOKEN, api, ask, atOnce, authorizeUrl, browser, code, cookieOf, examples, exchange, introspect, read, register, serveReady } from "./support.js";

const FORM = "application/x-www-form-urlencoded";
const REQUESTS = 2000;
/** What the runtime says of requests that never reach us: its own parser refused them. */
const RUNTIMES_OWN = /kj\/compat\/(url|http)\.c\+\+|Incoming CONNECT on a worker not supported/;
const RUNTIMES_ANSWER = /^HTTP\/1\.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: 21\r\n/;
const POSTED = Object.entries(examples).filter(([, { methods }]) => "POST" in methods).map(([path]) => path);

describe("hostile input", () => {
  /** @type {import("./support.js").Server} */
  let server;
  /** @type {import("./support.js").Client} */
  let client;
  /** @type {ReturnType<typeof browser>} */
  let visitor;

  before(async () => {
    server = await serveReady({ bindings: { EDGEMINT_LOG: "all" } });
    client = await register(server);
    visitor = browser(server);
    await code(server, visitor, client);
  });
  after(async () => {
    await server.stop();
    const faults = server.lines.filter((line) => /RuntimeError|"level":"error"|"reason":"internal"|panicked|Uncaught/.test(line) && !RUNTIMES_OWN.test(line));
    assert.deepEqual(faults, [], "the core trapped, or something failed inside");
  });

  /**
   * Every answer is of a known kind, carries its id, and says no more than it may.
   *
   * @param {import("./support.js").Answer} answer
   * @param {string} what
   */
  function assertWellFormed({ status, headers, text, body }, what) {
    assert.ok(status < 500, `${what}: ${status} ${text}`);
    assert.match(headers.get("x-request-id") ?? "", /^[0-9a-f-]{36}$/, what);
    const type = headers.get("content-type") ?? "";
    if (type.startsWith("text/html")) {
      assert.match(headers.get("content-security-policy") ?? "", /default-src 'none'.*frame-ancestors 'none'/, what);
      assert.equal(headers.get("x-content-type-options"), "nosniff", what);
      assert.equal(headers.get("x-frame-options"), "DENY", what);
      assert.equal(headers.get("referrer-policy"), "no-referrer", what);
      assert.equal(headers.get("cache-control"), "no-store", what);
      assert.match(text, /^(<!DOCTYPE html>|$)/i, what);
      // The one page with scripts has them as files of ours.
      assert.doesNotMatch(text, /<script(?! src="\/docs\/)/i, what);
    } else if (type.startsWith("text/javascript")) {
      // The one script of the protocol's pages.
      assert.match(what, /(GET|HEAD) \/oauth\/form-post\.js/);
      assert.equal(headers.get("x-content-type-options"), "nosniff", what);
    } else if (text !== "") {
      assert.match(type, /^application\/(problem\+)?json$/, what);
      assert.equal(typeof body, "object", what);
      if (status >= 400) {
        const said = type.includes("problem") ? body.code : body.error;
        assert.match(said, /^[a-z_]+$/, what);
        assert.match(headers.get("cache-control") ?? "", /no-store/, what);
      }
    }
    if (status === 401) assert.ok(headers.has("www-authenticate") || body.error === "invalid_client", what);
    if (status === 405) assert.ok(headers.has("allow"), what);
  }

  /**
   * @param {string} path
   * @param {RequestInit} [init]
   */
  async function send(path, init = {}) {
    const answer = await read(await fetch(server.url + path, { redirect: "manual", ...init }));
    assertWellFormed(answer, `${init.method ?? "GET"} ${path.slice(0, 200)}`);
    return answer;
  }

  const post = (/** @type {string} */ path, /** @type {RequestInit["body"]} */ body, type = FORM, /** @type {Record<string, string>} */ headers = {}) =>
    send(path, { method: "POST", body, headers: { "content-type": type, ...headers } });

  test("a path that is none is 404, and a method that is none there is 405 with what would be", async () => {
    for (const path of ["/nothing", "/oauth", "/oauth/token/", "/api/v2/", "/oauth%2ftoken", "/oauth//token", "/OAUTH/TOKEN", "/.well-known/", "/oauth/par"]) {
      assert.equal((await send(path)).status, 404, path);
      assert.equal((await post(path, "a=1")).status, 404, path);
    }
    for (const [path, { methods, cors, hidden }] of Object.entries(examples)) {
      const allowed = Object.keys(methods);
      for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"]) {
        if (allowed.includes(method)) continue;
        const answer = await send(path, { method });
        if (method === "OPTIONS" && cors) {
          assert.equal(answer.status, 204, path);
          assert.equal(answer.headers.get("access-control-allow-methods"), allowed.join(", "));
          continue;
        }
        assert.equal(answer.status, hidden ? 404 : 405, `${method} ${path}`);
        if (hidden) continue;
        assert.deepEqual(answer.headers.get("allow")?.split(", ").sort(), (allowed.includes("GET") ? ["HEAD", ...allowed] : allowed).sort());
      }
    }
  });

  test("HEAD answers as GET does, without a body", async () => {
    for (const [path, { methods }] of Object.entries(examples)) {
      if (!("GET" in methods)) continue;
      const [head, get] = [await send(path, { method: "HEAD" }), await send(path)];
      assert.deepEqual([head.status, head.text, head.headers.get("content-type")], [get.status, "", get.headers.get("content-type")], path);
    }
  });

  test("a body larger than anything expected is 413, with its length or without", async () => {
    const large = "a".repeat(70_000);
    const port = Number(new URL(server.url).port);
    const { csrf } = (await visitor.go("/api/v1/login")).body;
    const page = { cookie: cookieOf(visitor), "sec-fetch-site": "same-origin", "x-csrf-token": csrf };
    for (const path of POSTED) {
      const type = path.startsWith("/api/") || path === "/oauth/register" ? "application/json" : FORM;
      // What is a person's own is nothing for the bootstrap token.
      const own = path.startsWith("/api/v1/users/");
      const headers = type === FORM ? {} : own ? page : { authorization: `Bearer ${BOOTSTRAP_TOKEN}` };
      assert.equal((await post(path, `token=${large}`, type, headers)).status, 413, path);
      const chunk = `${large.length.toString(16)}\r\n${large}\r\n`;
      // A length beside the chunks is a lie that the runtime passes on.
      for (const length of [{}, { "content-length": "5" }]) {
        const head = Object.entries({ host: "x", "content-type": type, "transfer-encoding": "chunked", ...length, connection: "close", ...headers });
        const streamed = await raw(port, `POST ${path} HTTP/1.1\r\n${head.map((pair) => pair.join(": ")).join("\r\n")}\r\n\r\n${chunk.repeat(3)}0\r\n\r\n`);
        assert.match(streamed, /^HTTP\/1\.1 413/, path);
      }
    }
    // Whoever sent it all hears the answer, and the connection is of use for what comes next.
    for (let round = 0; round < 10; round += 1) {
      assert.equal((await post("/oauth/token", "a=&".repeat(100_000))).status, 413);
      assert.equal((await post("/oauth/token", "a=1")).status, 401);
    }
    // And at the limit it is read.
    const filler = `grant_type=client_credentials&x=${"a".repeat(65_536 - 32)}`;
    assert.equal(filler.length, 65_536);
    assert.notEqual((await post("/oauth/token", filler)).status, 413);
    assert.equal((await post("/oauth/token", `${filler}a`)).status, 413);
  });

  test("TE-1: another content type is 400, or what the endpoint says to who is nobody", async () => {
    const types = ["text/plain", "multipart/form-data; boundary=x", "application/json", `application/json, ${FORM}`, "", ";"];
    for (const path of POSTED) {
      for (const type of types) {
        if (type === "application/json" && (path.startsWith("/api/") || path === "/oauth/register")) continue;
        const answer = await post(path, new TextEncoder().encode("token=1"), type);
        assert.ok([400, 401].includes(answer.status), `${path} ${type}: ${answer.status}`);
      }
    }
  });

  test("AZ-2, TE-2: a parameter that comes twice is refused, one without a value is absent", async () => {
    const twice = authorizeUrl(server, client);
    twice.searchParams.append("scope", "openid");
    const refused = await visitor.go(twice);
    assert.match(refused.headers.get("location") ?? "", /error=invalid_request/);
    for (const name of ["client_id", "redirect_uri"]) {
      const url = authorizeUrl(server, client);
      url.searchParams.append(name, client.client_id);
      const answer = await visitor.go(url);
      assert.deepEqual([answer.status, answer.headers.get("location")], [400, null]);
    }
    for (const [path, form] of Object.entries({
      "/oauth/token": "grant_type=client_credentials&grant_type=client_credentials",
      "/oauth/introspect": "token=a&token=b",
      "/oauth/revoke": "token=a&token=a",
      "/oauth/check_token": "token=a&scope=b&scope=c",
    })) {
      const answer = await post(path, form);
      assert.deepEqual([answer.status, answer.body.error], [400, "invalid_request"], path);
    }
    assert.ok(await code(server, visitor, client, { nonce: "", resource: "", prompt: "", max_age: "" }));
  });

  test("bytes that are not UTF-8, controls and NUL are refused or ignored, never stored", async () => {
    const bytes = new Uint8Array([...new TextEncoder().encode("token="), 0xff, 0xfe, 0xc0, 0x80, 0xed, 0xa0, 0x80]);
    for (const path of POSTED) await post(path, bytes);
    for (const odd of ["%FF%FE", "%00", "%C0%80", "%ED%A0%80", "%0D%0Aset-cookie:%20a=b", "%", "%zz", "\u{202e}"]) {
      const url = authorizeUrl(server, client).href;
      const answer = await visitor.go(`${url}&state=${odd}`);
      assertWellFormed(answer, odd);
      assert.equal(answer.headers.get("set-cookie")?.includes("a=b") ?? false, false);
      for (const path of ["/login", "/consent", "/logout"]) await send(`${path}?request=${odd}&client_id=${odd}`);
      await post("/oauth/token", `grant_type=${odd}&client_id=${odd}&code=${odd}`);
      await post("/oauth/introspect", `token=${odd}`, FORM, { authorization: `Basic ${btoa(`${odd}:${odd}`.replaceAll("\u{202e}", "?"))}` });
    }
    for (const body of ["", "{", "[]", "null", '"x"', "{}", '{"a":1,"a":2}', `${"[".repeat(30_000)}`, `{"a":${"[".repeat(30_000)}`, '{"redirect_uris":7}', "\uFEFF{}", '{"client_name":"\\ud800"}', '{"x":1e999}']) {
      for (const path of ["/oauth/register", "/api/v1/accounts/", "/api/v1/first-run"]) {
        const answer = await post(path, body, "application/json", { authorization: `Bearer ${BOOTSTRAP_TOKEN}` });
        assert.equal(answer.status, 400, `${path} ${body.slice(0, 40)}: ${answer.status}`);
      }
    }
  });

  test("F11: many names that are alike, and many that are equal, are read like any others", async () => {
    // What a body may hold; more of them do not fit.
    const equal = "token&".repeat(10_000);
    const alike = Array.from({ length: 9_000 }, (_, index) => `k${index}=`).join("&").slice(0, 65_000);
    for (const path of ["/oauth/token", "/oauth/introspect", "/login", "/consent", "/oauth/authorize"]) {
      await post(path, equal);
      await post(path, alike);
    }
    const hundredThousand = "a=&".repeat(100_000);
    assert.equal((await post("/oauth/token", hundredThousand)).status, 413);
    await post("/oauth/token", "&".repeat(65_000));
    await post("/oauth/token", "=".repeat(65_000));
    const members = Array.from({ length: 5_000 }, (_, index) => `"k${index}":0`).join(",");
    await post("/oauth/register", `{${members}}`, "application/json", { authorization: `Bearer ${BOOTSTRAP_TOKEN}` });
  });

  test("large headers, cookies and queries are refused or ignored", async () => {
    for (const size of [1_000, 8_000, 60_000]) {
      const long = "a".repeat(size);
      const cookies = Array.from({ length: size / 20 }, (_, index) => `edgemint-session${index}=x`).join("; ");
      for (const headers of /** @type {Record<string, string>[]} */ ([
        { authorization: `Bearer ${long}` },
        { authorization: `Basic ${long}` },
        { authorization: long },
        { cookie: `edgemint-session=${long}` },
        { cookie: `edgemint-browser=${long}; edgemint-session=ema_${long}` },
        { cookie: cookies },
        { origin: `https://${long}` },
        { "x-anything": long },
      ])) {
        for (const path of ["/oauth/userinfo", "/login", "/oauth/authorize", "/health"]) {
          // The runtime itself refuses what is too much for it, with an answer of its own.
          const response = await fetch(server.url + path, { headers, redirect: "manual" });
          const answer = { status: response.status, headers: response.headers, text: await response.text(), body: undefined };
          if ([431, 400].includes(answer.status) && !answer.headers.has("x-request-id")) continue;
          assert.ok(answer.status < 500, `${path}: ${answer.status}`);
        }
      }
      for (const name of ["state", "nonce", "scope", "client_id", "redirect_uri", "login_hint", "id_token_hint", "continue", "resource"]) {
        const answer = await visitor.go(`${authorizeUrl(server, client).href.replace(new RegExp(`&?${name}=[^&]*`), "")}&${name}=${long}`);
        assertWellFormed(answer, name);
        const back = answer.headers.get("location");
        // AZ-13: whole, or not at all.
        if (name === "state" && back) assert.ok([null, long].includes(new URL(back).searchParams.get("state")));
      }
    }
  });

  test("credentials of every odd shape are refused alike", async () => {
    const basic = (/** @type {string} */ text) => `Basic ${Buffer.from(text, "latin1").toString("base64")}`;
    for (const authorization of ["Basic", "Basic ", "Basic !!!", basic(""), basic(":"), basic("a"), basic("a:b:c"), basic("%:%"), basic("\xff\xfe:\x00"), "basic x", "Bearer", "Digest a=b", "Basic é".normalize("NFD").replace(/[^\x20-\x7e]/g, "?")]) {
      for (const path of ["/oauth/token", "/oauth/introspect", "/oauth/revoke", "/oauth/check_token"]) {
        const answer = await post(path, "token=a&grant_type=client_credentials", FORM, { authorization });
        assert.ok([400, 401].includes(answer.status), `${path} ${authorization}: ${answer.status}`);
      }
    }
    const both = await post("/oauth/token", `grant_type=client_credentials&client_id=${client.client_id}&client_secret=x`, FORM, {
      authorization: basic(`${client.client_id}:${client.client_secret}`),
    });
    assert.deepEqual([both.status, both.body.error], [400, "invalid_request"]);
    const inQuery = await post(`/oauth/token?client_id=${client.client_id}&client_secret=${client.client_secret}`, "grant_type=client_credentials");
    assert.deepEqual([inQuery.status, inQuery.body.error], [401, "invalid_client"]);
  });

  test("MD-3: no header changes who we say we are, or where we send anybody", async () => {
    const { port } = new URL(server.url);
    const forged = ["host: evil.example", "x-forwarded-host: evil.example", "x-forwarded-proto: https", "forwarded: host=evil.example;proto=https", "x-original-url: /evil", "x-rewrite-url: /evil", "x-forwarded-prefix: /evil", "cf-connecting-ip: 6.6.6.6"];
    const ask = (/** @type {string} */ target, /** @type {string[]} */ headers) => raw(Number(port), `GET ${target} HTTP/1.1\r\n${headers.join("\r\n")}\r\nconnection: close\r\n\r\n`);
    const host = `host: 127.0.0.1:${port}`;
    const honest = await ask("/.well-known/openid-configuration", [host]);
    const documentOf = (/** @type {string} */ answer) => JSON.parse(answer.slice(answer.indexOf("{"), answer.lastIndexOf("}") + 1));
    for (const line of forged) {
      const headers = line.startsWith("host:") ? [line] : [host, line];
      const answer = await ask("/.well-known/openid-configuration", headers);
      assert.deepEqual(documentOf(answer), documentOf(honest), line);
      const query = authorizeUrl(server, client).search;
      const redirected = await ask(`/oauth/authorize${query}`, headers);
      assert.match(redirected, new RegExp(`^location: ${server.url}/login\\?request=`, "im"), line);
      assert.doesNotMatch(redirected, /evil/, line);
    }
    for (const target of ["http://evil.example/.well-known/openid-configuration", "//evil.example/oauth/token", "http://evil.example@127.0.0.1/login", "*", "evil", "/\\evil.example/", "/login#x", "/login?#"]) {
      const answer = await ask(target, [host]);
      if (!RUNTIMES_ANSWER.test(answer)) assert.match(answer, /^HTTP\/1\.1 [1-4]\d\d/, target);
      assert.doesNotMatch(answer, /^location:.*evil/im, target);
      assert.doesNotMatch(answer, /"issuer":"[^"]*evil/, target);
    }
  });

  test("what is no HTTP costs its own connection only", async () => {
    const { port } = new URL(server.url);
    for (const bytes of [
      "GET\r\n\r\n",
      "\0\0\0\0\r\n\r\n",
      "POST /oauth/token HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
      "POST /oauth/token HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n0\r\n\r\n",
      "POST /oauth/token HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\nzz\r\n",
      "POST /oauth/token HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n5\r\nab",
      "POST /oauth/token HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\nconnection: close\r\n\r\ngrant_type=",
      "POST /oauth/token HTTP/1.1\r\nhost: x\r\ncontent-type: \xe9\r\ncontent-length: 1\r\nconnection: close\r\n\r\na",
      "GET /login HTTP/1.1\r\nhost: x\r\ncookie: \xff\xfe=\xff\r\nauthorization: \xff\r\nconnection: close\r\n\r\n",
      "GET /login HTTP/1.1\r\nhost: x\r\ncookie: a\r\ncookie: b; c\r\ncookie: =;=;;;=\r\nconnection: close\r\n\r\n",
      "TRACE /login HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
      "CONNECT evil.example:443 HTTP/1.1\r\nhost: evil.example:443\r\nconnection: close\r\n\r\n",
    ]) {
      const answer = await raw(Number(port), bytes);
      if (answer !== "" && !RUNTIMES_ANSWER.test(answer)) assert.match(answer, /^HTTP\/1\.1 ([1-4]\d\d|501)/, JSON.stringify(bytes));
      assert.equal((await send("/health")).status, 200);
    }
  });

  test("OPS-3: two thousand random requests get no answer that is ours to regret", async () => {
    const seed = 20_260_801;
    const random = generator(seed);
    const pick = (/** @type {readonly any[]} */ from) => from[Math.floor(random() * from.length)];
    const live = (await exchange(server, client, await code(server, visitor, client))).body;
    const page = (await browser(server).go(authorizeUrl(server, client))).headers.get("location")?.split("request=")[1] ?? "";
    const names = ["grant_type", "client_id", "client_secret", "code", "code_verifier", "redirect_uri", "refresh_token", "scope", "resource", "token", "token_type_hint", "request", "csrf", "username", "password", "decision", "state", "nonce", "prompt", "max_age", "id_token_hint", "response_type", "code_challenge", "code_challenge_method", "continue", "client_assertion", "post_logout_redirect_uri", "response_mode", "request_uri", "access_token", "client"];
    const values = ["", "a", "authorization_code", "refresh_token", "client_credentials", "code", "openid", "openid offline_access", "S256", "none", "login", "allow", "deny", "0", "-1", "99999999999999999999", "https://x.example/", "javascript:alert(1)", "%00", "é", "\u{1F4A5}", "'\"<>&", "..", "ema_", "emc_AAAA", "emr_" + "A".repeat(200), "a.b.c", "eyJhbGciOiJub25lIn0.e30.", client.client_id, client.client_secret, client.redirect_uris[0], live.access_token, live.id_token, page, `${live.access_token.slice(0, -1)}A`, `${live.access_token.slice(0, 60)}`, "x".repeat(3000)];
    const junk = () => Array.from({ length: Math.floor(random() * 40) }, () => String.fromCharCode(32 + Math.floor(random() * 95))).join("");
    const paths = [...Object.keys(examples), "/nothing", "/"];
    const spend = async (/** @type {number} */ index) => {
      const pairs = Array.from({ length: Math.floor(random() * 8) }, () => [pick(names), random() < 0.8 ? pick(values) : junk()]);
      const form = new URLSearchParams(pairs).toString();
      const method = pick(["GET", "POST", "POST", "HEAD", "PUT"]);
      /** @type {Record<string, string>} */
      const headers = {};
      if (random() < 0.3) headers.authorization = pick([`Bearer ${live.access_token}`, `Bearer ${BOOTSTRAP_TOKEN}`, `Bearer ${junk().replace(/[^!-~]/g, "")}`, `Basic ${btoa(`${client.client_id}:${client.client_secret}`)}`, `Basic ${btoa(junk())}`]);
      if (random() < 0.3) headers.cookie = pick(["edgemint-session=ems_AAAA", `edgemint-session=${live.access_token}`, `edgemint-browser=${"A".repeat(32)}`, "=;;=", Array.from(visitor.cookies, ([name, value]) => `${name}=${value}`).join("; ")]);
      if (random() < 0.2) headers.origin = pick(["null", server.url, "https://evil.example"]);
      const posts = method === "POST" || method === "PUT";
      if (posts) headers["content-type"] = pick([FORM, FORM, FORM, "application/json", "text/plain"]);
      const body = posts ? pick([form, form, JSON.stringify(Object.fromEntries(pairs)), junk()]) : undefined;
      const query = posts && random() < 0.8 ? "" : `?${form}`;
      const path = pick(paths);
      const answer = await read(await fetch(server.url + path + query, { method, headers, body, redirect: "manual" }));
      const what = `seed ${seed}, request ${index}: ${method} ${path}${query.slice(0, 200)} ${String(body).slice(0, 200)}`;
      assertWellFormed(answer, what);
      const location = answer.headers.get("location");
      if (location !== null) assert.ok([server.url, client.redirect_uris[0]].some((known) => location.startsWith(known)), `${what} → ${location}`);
    };
    for (let index = 0; index < REQUESTS; index += 20) await atOnce(20, (offset) => spend(index + offset));
    assert.equal((await exchange(server, client, await code(server, browser(server), client))).status, 200);
  });
});

describe("records that were corrupted in KV", () => {
  /** @type {import("./support.js").Server} */
  let server;
  before(async () => {
    server = await serveReady();
  });
  after(() => server.stop());

  /** @returns {Promise<any>} */
  const records = () => server.mf.getKVNamespace("KV");

  const GARBAGE = ["", "x", "null", "[]", "{}", '{"id":7}', "\0\u{FFFD}", "{".repeat(10_000), '{"version":99999}'];

  test("a client is found all the same, because nothing in KV decides", async () => {
    const kv = await records();
    for (const garbage of GARBAGE) {
      const client = await register(server, { grant_types: ["client_credentials"], redirect_uris: [], scope: "a" });
      await kv.put(`client:${client.client_id}`, garbage);
      const answer = await ask(server, "/oauth/token", client, { grant_type: "client_credentials" });
      assert.equal(answer.status, 200, garbage);
    }
  });

  test("a copy that was not sealed here is not believed, however new it says it is", async () => {
    const kv = await records();
    const machine = { grant_types: ["client_credentials"], redirect_uris: [], scope: "a" };
    const client = await register(server, machine);
    const forged = { id: client.client_id, version: 9, generation: 0, enabled: true, name: "forged", authentication: "client_secret_basic" };
    await kv.put(`client:${client.client_id}`, JSON.stringify({ ...forged, secrets: [], grant_types: ["client_credentials"], scope: "a b" }));
    const { status, body } = await ask(server, "/oauth/token", client, { grant_type: "client_credentials" });
    assert.deepEqual([status, body.scope], [200, "a"]);
    const key = { kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", kid: "forged" };
    const set = [{ kid: "forged", algorithm: "EdDSA", public: JSON.stringify(key), wrapped: "", signs_from: 0, published_until: null }];
    await kv.put("keys:public", JSON.stringify({ version: 99_999, keys: set }));
    const { body: jwks } = await read(await fetch(`${server.url}/.well-known/jwks.json`));
    assert.ok(jwks.keys.length > 0 && jwks.keys.every((/** @type {{ kid: string }} */ { kid }) => kid !== "forged"));
  });

  test("another client's record under an id is not believed", async () => {
    const kv = await records();
    const machine = { grant_types: ["client_credentials"], redirect_uris: [], scope: "a" };
    const [known, victim] = [await register(server, machine), await register(server, machine)];
    await ask(server, "/oauth/token", known, { grant_type: "client_credentials" });
    const { value } = await published(kv, `client:${known.client_id}`);
    await kv.put(`client:${victim.client_id}`, value);
    const asVictim = { ...victim, client_secret: known.client_secret };
    assert.equal((await ask(server, "/oauth/token", asVictim, { grant_type: "client_credentials" })).status, 401);
    assert.equal((await ask(server, "/oauth/token", victim, { grant_type: "client_credentials" })).status, 200);
  });

  test("keys are published from the directory when the copy is of no use", async () => {
    const kv = await records();
    const before = (await read(await fetch(`${server.url}/.well-known/jwks.json`))).body;
    for (const garbage of GARBAGE) {
      await kv.put("keys:public", garbage);
      assert.equal((await api(server, "/api/v1/keys/rotate", {})).status, 200);
      const { status, body } = await read(await fetch(`${server.url}/.well-known/jwks.json`));
      assert.equal(status, 200);
      for (const { kid } of before.keys) assert.ok(body.keys.some((/** @type {{ kid: string }} */ key) => key.kid === kid), garbage);
    }
  });

  test("a record of a code in KV opens nothing, and losing it loses nothing", async () => {
    const client = await register(server);
    const visitor = browser(server);
    const kept = await code(server, visitor, client);
    const kv = await records();
    const { keys } = await kv.list({ prefix: "code:" });
    assert.ok(keys.length > 0);
    for (const { name } of keys) await kv.delete(name);
    const { status, body } = await exchange(server, client, kept);
    assert.equal(status, 200);
    assert.equal((await introspect(server, client, body.access_token)).body.active, true);
    for (const { name } of keys) {
      assert.equal((await exchange(server, client, name.slice("code:".length))).body.error, "invalid_grant");
    }
  });
});

/**
 * The value of a key that is published behind an answer: it comes, and nothing waits by the clock.
 *
 * @param {any} kv
 * @param {string} key
 */
async function published(kv, key) {
  for (;;) {
    const value = await kv.get(key);
    if (value !== null) return { value };
  }
}

/**
 * Sends bytes, and answers with those that come back until the other side closes or falls silent.
 *
 * @param {number} port
 * @param {string} bytes
 * @returns {Promise<string>}
 */
function raw(port, bytes) {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(port, "127.0.0.1", () => socket.end(Buffer.from(bytes, "latin1")));
    socket.setEncoding("latin1");
    socket.on("data", (chunk) => (text += chunk));
    socket.on("error", () => resolve(text));
    socket.on("close", () => resolve(text));
  });
}
