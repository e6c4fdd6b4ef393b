// @ts-check
/**
 * Many random requests to a running worker, pipelined over a few dozen connections that stay open.
 * Whatever is sent, every answer is well formed and none is our fault.
 */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { root } from "../../scripts/lib/steps.mjs";
import { authorizeUrl, browser, code, exchange, formOf, register, serveReady } from "../worker/support.js";
import { REGISTERED, generator, shot } from "./requests.js";

/** @typedef {import("./requests.js").World} World */
/** @typedef {import("./requests.js").Shot} Shot */
/** @typedef {{ status: number, headers: Map<string, string>, body: string }} Reply */

const CONNECTIONS = 48;
const MOST_AT_ONCE = 6;
/** What was issued is issued anew after so many requests: some of it was revoked, redeemed or signed out. */
const RENEW = 5_000;
/** An answer that takes longer never comes. */
const PATIENCE_MS = 30_000;
/** What the runtime says of requests that never reach us: its own parser refused them. */
const RUNTIMES_OWN = /kj\/compat\/(url|http)\.c\+\+|Incoming CONNECT on a worker not supported|disconnected|Network connection lost/;
const FAULT = /RuntimeError|unreachable|"level":"error"|"reason":"internal"|panicked|Uncaught/;
const PAGES = ["/login", "/consent", "/logout", "/oauth/logout", "/oauth/authorize"];

/**
 * @param {{ requests: number, seed: number, log?: (line: string) => void }} options
 * @returns {Promise<{ statuses: Record<string, number>, perSecond: number }>}
 */
export async function barrage({ requests, seed, log = () => {} }) {
  const server = await serveReady({ bindings: { REVOCATION_MAX_AGE: "5" } });
  /** @type {Map<string, number>} */
  const statuses = new Map();
  const count = (/** @type {string | number} */ what) => statuses.set(String(what), (statuses.get(String(what)) ?? 0) + 1);
  const resident = [];
  let sent = 0;
  const began = performance.now();
  try {
    let world = await issue(server);
    const registered = [REGISTERED, ...world.clients.flatMap((client) => client.redirect_uris)];
    log(`http: ${requests} requests, seed ${seed}, ${CONNECTIONS} connections`);
    /** @param {Shot} asked @param {Reply} reply */
    const judge = (asked, reply) => {
      count(reply.status);
      assertWellFormed(asked, reply, server.url, registered);
    };
    while (sent < requests) {
      const until = Math.min(requests, sent + RENEW);
      const lanes = Array.from({ length: CONNECTIONS }, async () => {
        while (sent < until) {
          const random = generator(seed ^ sent);
          const from = sent;
          sent = Math.min(until, sent + 1 + Math.floor(random() * MOST_AT_ONCE));
          const shots = Array.from({ length: sent - from }, (_, offset) => shot(seed, from + offset, world));
          await fire(server.url, shots, seed, from, judge, count);
        }
      });
      await Promise.all(lanes);
      resident.push(memory());
      if (sent % (RENEW * 20) === 0) log(`http: ${sent} sent, ${resident.at(-1)} MB resident, ${JSON.stringify(Object.fromEntries(statuses))}`);
      world = await issue(server, world);
    }
    assert.ok((statuses.get("reopened") ?? 0) <= CONNECTIONS * resident.length, "the worker closes connections that were not idle");
    const ready = await fetch(`${server.url}/ready`);
    assert.deepEqual([ready.status, await ready.json()], [200, { status: "ready" }], "the worker is not ready any more");
    assertBounded(resident);
  } finally {
    await closeAll();
    await server.stop();
  }
  const faults = server.lines.filter((line) => FAULT.test(line) && !RUNTIMES_OWN.test(line));
  assert.deepEqual(faults.slice(0, 10), [], "the core trapped, or something failed inside");
  const perSecond = Math.round((sent * 1000) / (performance.now() - began));
  const sorted = Object.fromEntries([...statuses].sort());
  log(`http: ${sent} requests, ${perSecond}/s, memory ${resident[0]} MB at first, ${Math.max(...resident)} MB at most, ${resident.at(-1)} MB at last, answers ${JSON.stringify(sorted)}`);
  return { statuses: sorted, perSecond };
}

/**
 * Tokens, sessions, pages and codes, all good when they are made.
 *
 * @param {{ url: string }} server
 * @param {World} [before]
 * @returns {Promise<World>}
 */
async function issue(server, before) {
  const clients = before?.clients ?? [
    await register(server, { grant_types: ["authorization_code", "refresh_token", "client_credentials"] }),
    await register(server, { redirect_uris: ["https://post.example/cb?tenant=1"], token_endpoint_auth_method: "client_secret_post", implicit_consent: false, access_token_format: "jwt" }),
    await register(server, { redirect_uris: ["https://spa.example/cb"], token_endpoint_auth_method: "none", implicit_consent: false }),
  ];
  // Kept to ourselves: what the requests are given may be signed out by them.
  ours.set(server, ours.get(server) ?? browser(server));
  const visitor = /** @type {ReturnType<typeof browser>} */ (ours.get(server));
  const tokens = [];
  const codes = [];
  for (const client of clients) {
    codes.push(await code(server, visitor, client));
    const { body } = await exchange(server, client, await code(server, visitor, client));
    const { access_token, refresh_token, id_token } = body;
    tokens.push({ access_token, refresh_token, id_token });
  }
  const jar = (/** @type {ReturnType<typeof browser>} */ of) => Array.from(of.cookies, ([name, value]) => `${name}=${value}`).join("; ");
  const sessions = before?.sessions ?? [];
  if (sessions.length === 0) {
    const guest = browser(server);
    await code(server, guest, clients[0]);
    sessions.push(jar(guest));
  }
  const pages = [];
  for (const of of [browser(server), visitor]) {
    const client = clients[of === visitor ? 2 : 0];
    const begun = await of.go(authorizeUrl(server, client, of === visitor ? { prompt: "consent" } : {}));
    const shown = await of.go(new URL(begun.headers.get("location") ?? "/login", server.url));
    const form = formOf(shown.text);
    if (form) pages.push({ path: form.action, cookie: of === visitor ? sessions[0] : jar(of), fields: form.hidden });
  }
  return { server: server.url, clients, tokens, sessions, pages, codes };
}

/** @type {WeakMap<{ url: string }, ReturnType<typeof browser>>} */
const ours = new WeakMap();

/** The connection was closed before anything of an answer came. */
class Unanswered extends Error {}

/** @type {Set<string>} servers that something was found in */
const ended = new Set();

/** @type {WeakMap<import("node:net").Socket, Shot[]>} what a connection carried last: often that is what broke it */
const carried = new WeakMap();

/** @type {import("node:net").Socket[]} open and idle */
const idle = [];

async function closeAll() {
  for (const socket of idle.splice(0)) socket.destroy();
}

/**
 * Sends requests in one go and reads the answers in their order. What breaks the connection, or is meant to, has
 * one of its own.
 *
 * @param {string} url
 * @param {Shot[]} shots
 * @param {number} seed
 * @param {number} from
 * @param {(asked: Shot, reply: Reply) => void} judge
 * @param {(what: string) => void} count
 */
async function fire(url, shots, seed, from, judge, count) {
  const port = Number(new URL(url).port);
  const sound = shots.filter(({ kind }) => kind === "sound");
  /** @type {Shot[]} */
  let before = [];
  try {
    if (sound.length > 0) {
      let socket = stillOpen() ?? (await opened(port));
      before = carried.get(socket) ?? [];
      let replies;
      try {
        replies = await asked(socket, sound);
      } catch (error) {
        // The runtime closes what was idle for 5 s; then none of these was looked at.
        if (before.length === 0 || !(error instanceof Unanswered)) throw error;
        count("reopened");
        socket = await opened(port);
        replies = await asked(socket, sound);
      }
      carried.set(socket, sound);
      sound.forEach((one, index) => judge(one, replies[index]));
      idle.push(socket);
    }
    for (const one of shots) {
      if (one.kind === "sound") continue;
      const text = await alone(port, one);
      if (one.kind === "closing") {
        const found = parsed(text, one.method);
        assert.ok(found, `no answer to ${one.bytes.slice(0, 600)}`);
        judge(one, found.reply);
        continue;
      }
      count(one.kind);
      // Nothing, a refusal by the runtime, or an answer of ours that is no failure.
      if (text !== "") assert.match(text, /^HTTP\/1\.1 ([1-4]\d\d|501|500 Internal Server Error\r\nConnection: close\r\nContent-Length: 21\r\n)/, one.bytes.slice(0, 300));
    }
  } catch (error) {
    // The others fail because of the first one, which ends the server.
    if (ended.has(url)) return;
    ended.add(url);
    const folder = join(root, ".cache/fuzz/found");
    mkdirSync(folder, { recursive: true });
    const path = join(folder, `http-${seed}-${from}`);
    writeFileSync(path, [...before, ...shots].map(({ bytes }) => bytes).join(""), "latin1");
    throw new Error(`seed ${seed}, requests from ${from}, kept in ${path.slice(root.length)}`, { cause: error });
  }
}

/** An idle connection, if one is left that the runtime has not closed. */
function stillOpen() {
  for (let socket = idle.pop(); socket !== undefined; socket = idle.pop()) {
    if (socket.readyState === "open") return socket;
    socket.destroy();
  }
  return undefined;
}

/** @param {number} port @returns {Promise<import("node:net").Socket>} */
function opened(port) {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => resolve(socket));
    socket.setNoDelay(true).setEncoding("latin1");
    // Whoever is using it hears of it by the close that follows.
    socket.on("error", reject);
  });
}

/**
 * @param {import("node:net").Socket} socket
 * @param {Shot[]} shots
 * @returns {Promise<Reply[]>}
 */
function asked(socket, shots) {
  return new Promise((resolve, reject) => {
    /** @type {Reply[]} */
    const replies = [];
    let text = "";
    const end = (/** @type {Error | null} */ error) => {
      clearTimeout(timer);
      socket.off("data", read).off("close", closed);
      if (error) socket.destroy();
      error ? reject(error) : resolve(replies);
    };
    const lost = (/** @type {string} */ why) => end(new (replies.length === 0 && text === "" ? Unanswered : Error)(`${why} after ${replies.length} of ${shots.length} answers, at ${shots[replies.length]?.bytes.slice(0, 600)}`));
    const timer = setTimeout(() => end(new Error(`no answer after ${replies.length} of ${shots.length}, and ${JSON.stringify(text.slice(0, 200))}, to ${shots[replies.length]?.bytes.slice(0, 600)}`)), PATIENCE_MS);
    const closed = () => lost("the connection was closed");
    const read = (/** @type {string} */ chunk) => {
      text += chunk;
      for (;;) {
        const one = shots[replies.length];
        const found = one && parsed(text, one.method);
        if (!found) break;
        replies.push(found.reply);
        text = text.slice(found.length);
      }
      if (replies.length === shots.length) end(text === "" ? null : new Error(`an answer that nobody asked for: ${text.slice(0, 300)}`));
    };
    socket.on("data", read).on("close", closed);
    socket.write(Buffer.from(shots.map(({ bytes }) => bytes).join(""), "latin1"));
  });
}

/**
 * The first answer of the text, if it is there whole.
 *
 * @param {string} text
 * @param {string} method
 * @returns {{ reply: Reply, length: number } | undefined}
 */
function parsed(text, method) {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [first, ...lines] = text.slice(0, end).split("\r\n");
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(first)?.[1]);
  const headers = new Map(lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]));
  let at = end + 4;
  let body = "";
  if (method === "HEAD" || status === 204) return { reply: { status, headers, body }, length: at };
  if (headers.get("transfer-encoding") === "chunked") {
    for (;;) {
      const line = text.indexOf("\r\n", at);
      if (line < 0) return undefined;
      const size = Number.parseInt(text.slice(at, line), 16);
      if (text.length < line + 2 + size + 2) return undefined;
      body += text.slice(line + 2, line + 2 + size);
      at = line + 2 + size + 2;
      if (size === 0) break;
    }
  } else {
    const length = Number(headers.get("content-length") ?? 0);
    if (text.length < at + length) return undefined;
    body = text.slice(at, at + length);
    at += length;
  }
  return { reply: { status, headers, body: Buffer.from(body, "latin1").toString() }, length: at };
}

/**
 * Sends what is no whole request, and gives what came back until it was closed.
 *
 * @param {number} port
 * @param {Shot} one
 * @returns {Promise<string>}
 */
function alone(port, { kind, bytes }) {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(port, "127.0.0.1", () => {
      if (kind === "aborted") socket.write(Buffer.from(bytes, "latin1"), () => socket.destroy());
      else socket.end(Buffer.from(bytes, "latin1"));
    });
    socket.setEncoding("latin1").setTimeout(PATIENCE_MS, () => socket.destroy());
    socket.on("data", (chunk) => (text += chunk));
    socket.on("error", () => resolve(text));
    socket.on("close", () => resolve(text));
  });
}

/**
 * @param {Shot} asked
 * @param {Reply} reply
 * @param {string} url
 * @param {string[]} registered
 */
function assertWellFormed(asked, { status, headers, body }, url, registered) {
  const what = `${asked.bytes.slice(0, 2000)}\n→ ${status} ${body.slice(0, 300)}`;
  const header = (/** @type {string} */ name) => headers.get(name) ?? "";
  assert.ok(status >= 200 && status < 500, what);
  assert.ok(/^[0-9a-f-]{36}$/.test(header("x-request-id")), what);
  const type = header("content-type");
  if (type.startsWith("text/html")) {
    assert.ok(/default-src 'none'.*frame-ancestors 'none'/.test(header("content-security-policy")), what);
    assert.ok(header("cache-control") === "no-store" && header("x-frame-options") === "DENY", what);
    assert.ok(/^(<!DOCTYPE html>|$)/i.test(body) && !/<script(?! src="\/docs\/)/i.test(body), what);
  } else if (type.startsWith("text/javascript")) {
    // The one script of the protocol's pages.
    assert.ok(what.includes("/oauth/form-post.js") && header("x-content-type-options") === "nosniff", what);
  } else if (body !== "") {
    assert.ok(/^application\/(problem\+)?json$/.test(type), what);
    const said = JSON.parse(body);
    if (status >= 400) {
      assert.ok(/^[a-z_]+$/.test(type.includes("problem") ? said.code : said.error), what);
      assert.ok(header("cache-control").includes("no-store"), what);
    }
  }
  if (status === 405) assert.ok(headers.has("allow"), what);
  const location = headers.get("location");
  if (location === undefined) return;
  assert.equal(status, 303, what);
  const bare = location.split("?")[0];
  const known = registered.some((uri) => location === uri || location.startsWith(uri + (uri.includes("?") ? "&" : "?")));
  // The port of a loopback address is the client's to choose.
  const loopback = /^http:\/\/127\.0\.0\.1(:[1-9]\d*)?\/callback$/.test(bare);
  assert.ok(known || loopback || PAGES.some((path) => bare === url + path), `${what}\n${location}`);
}

/** Megabytes that our child processes hold; 0 where there is no /proc. */
function memory() {
  try {
    const children = readdirSync("/proc/self/task").flatMap((task) => readFileSync(`/proc/self/task/${task}/children`, "utf8").trim().split(" ").filter(Boolean));
    const sizes = children.map((pid) => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0));
    return Math.round(sizes.reduce((sum, size) => sum + size, 0) / 1024);
  } catch {
    return 0;
  }
}

/**
 * The last quarter needs little more than the second one: what grows with every request would double.
 *
 * @param {number[]} resident
 */
function assertBounded(resident) {
  const quarter = Math.floor(resident.length / 4);
  // Fewer say nothing: the heap has not met its limit yet.
  if (quarter < 10) return;
  const [early, late] = [resident.slice(quarter, 2 * quarter), resident.slice(-quarter)].map((part) => Math.max(...part));
  assert.ok(late < early * 1.5 + 64, `memory grew from ${early} to ${late} MB`);
}
