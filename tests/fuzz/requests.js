// @ts-check
/**
 * Random requests that know the grammar: every route and method, good requests with what was really
 * issued, bent in a few places, in every framing that HTTP/1.1 has. A seed and a number make the same
 * request again, as far as what was issued is the same.
 */
import { examples } from "../worker/support.js";
import { BOOTSTRAP_TOKEN, VERIFIER, challenge } from "../worker/support.js";

const CHALLENGE = challenge(VERIFIER);
const FORM = "application/x-www-form-urlencoded";
const PATHS = [...Object.keys(examples), "/nothing", "/", "/oauth//token", "/oauth/token/", "/%6fauth/token", "/api/v1/accounts", "/api/v1/scopes/1/", "/api/v1/scopes/?page=2&search=a", "/api/v1/roles/999/"];
const NAMES = ["grant_type", "client_id", "client_secret", "code", "code_verifier", "redirect_uri", "refresh_token", "scope", "resource", "token", "token_type_hint", "request", "csrf", "username", "password", "decision", "state", "nonce", "prompt", "max_age", "id_token_hint", "login_hint", "response_type", "code_challenge", "code_challenge_method", "continue", "client_assertion", "post_logout_redirect_uri", "response_mode", "request_uri", "access_token", "client", "withdraw", "client_name", "redirect_uris", "grant_types", "scopes", "given_name"];
const VALUES = ["", "a", "authorization_code", "refresh_token", "client_credentials", "code", "openid", "openid offline_access", "S256", "plain", "none", "login", "consent", "none login", "allow", "deny", "0", "-1", "99999999999999999999", "https://x.example/", "http://127.0.0.1:1/callback", "javascript:alert(1)", "\0", "\r\nset-cookie: a=b", "é", "\u{1F4A5}", "\u202e", "'\"<>&", "..", "ema_", "emc_AAAA", `emr_${"A".repeat(200)}`, "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "x".repeat(300), "x".repeat(3000), "%", "{}", "[]", "null"];

/**
 * What was issued, by the parameter that it is a good value of, and whole headers.
 *
 * @typedef {{ server: string, clients: import("../worker/support.js").Client[], tokens: Record<string, string>[], sessions: string[], pages: { path: string, cookie: string, fields: Record<string, string> }[], codes: string[] }} World
 *
 * @typedef {{ method: string, path: string, bytes: string, kind: "sound" | "closing" | "aborted" | "malformed" }} Shot `bytes` as latin1
 */

/** What a random registration names, the few times that it is granted. */
export const REGISTERED = "https://random.example/cb";

/**
 * mulberry32: small, and the same everywhere.
 *
 * @param {number} state
 */
export function generator(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/**
 * @param {number} seed
 * @param {number} index
 * @param {World} world
 * @returns {Shot}
 */
export function shot(seed, index, world) {
  const random = generator(seed ^ Math.imul(index + 1, 0x9e3779b1));
  const chance = (/** @type {number} */ share) => random() < share;
  const below = (/** @type {number} */ count) => Math.floor(random() * count);
  const pick = (/** @type {readonly any[]} */ from) => from[below(from.length)];
  const junk = () => Array.from({ length: below(40) }, () => String.fromCharCode(32 + below(95))).join("");

  const client = pick(world.clients);
  const token = pick(world.tokens);
  const page = pick(world.pages);
  const path = chance(0.93) ? pick(Object.keys(examples)) : pick(PATHS);
  const known = Object.keys(examples[path]?.methods ?? {});
  const method = known.length > 0 && chance(0.9) ? pick(known) : pick(["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND"]);
  let pairs = good();
  for (let bends = below(4); bends > 0; bends -= 1) pairs = bent(pairs);

  /** @type {string[]} */
  const lines = [];
  credentials();
  const posts = !["GET", "HEAD", "OPTIONS"].includes(method) || chance(0.02);
  const json = path.startsWith("/api/") || path === "/oauth/register";
  const text = posts ? body() : "";
  const query = posts && chance(0.9) ? "" : `?${encoded(pairs)}`;
  if (chance(0.1)) lines.push(pick(["accept: text/html", "accept: */*", "x-request-id: forged", "x-forwarded-host: evil.example", "forwarded: host=evil.example", "cf-connecting-ip: 6.6.6.6", "dpop: x", `x-long: ${"a".repeat(below(4000))}`, "range: bytes=0-1", "if-none-match: *", "te: trailers", "accept-encoding: identity"]));
  const start = `${method} ${path}${query} HTTP/1.1\r\nhost: ${chance(0.98) ? new URL(world.server).host : "evil.example"}\r\n`;

  if (chance(0.004)) return { method, path, kind: "aborted", bytes: `${start}${head()}content-length: ${text.length + 1 + below(1000)}\r\n\r\n${text}` };
  if (chance(0.004)) return { method, path, kind: "malformed", bytes: malformed() };
  // A body where none is expected is not read, and costs the connection once it was answered.
  const rest = framed();
  const chunked = rest.startsWith("transfer-encoding");
  const unread = ["GET", "HEAD"].includes(method) && (text !== "" || chunked);
  // Nor does the runtime read chunks with extensions.
  const extended = chunked && rest.includes(";x=y\r\n");
  return { method, path, kind: unread || extended ? "closing" : "sound", bytes: start + head() + rest };

  /** @returns {[string, unknown][]} what the endpoint would take */
  function good() {
    const authorize = { response_type: "code", client_id: client.client_id, redirect_uri: client.redirect_uris[0], scope: "openid offline_access", state: "a state", nonce: "n", code_challenge: CHALLENGE, code_challenge_method: "S256" };
    const grants = [
      { grant_type: "authorization_code", code: pick(world.codes), redirect_uri: client.redirect_uris[0], code_verifier: VERIFIER },
      { grant_type: "refresh_token", refresh_token: token.refresh_token },
      { grant_type: "client_credentials", scope: "openid" },
    ];
    switch (path) {
      case "/oauth/authorize":
        return Object.entries(chance(0.2) ? { continue: page.fields.request } : authorize);
      case "/oauth/token":
        return Object.entries(pick(grants));
      case "/oauth/introspect":
      case "/oauth/revoke":
        return [["token", chance(0.02) || path.endsWith("introspect") ? pick(Object.values(token)) : junk()]];
      case "/oauth/check_token":
        return [["token", token.access_token], ["scope", "openid"]];
      case "/login":
      case "/consent":
        // A password costs a hash of 30 ms: few of them.
        return Object.entries({ ...page.fields, ...(path === "/consent" ? { decision: "allow" } : chance(0.003) ? { username: pick(["eve", "mallory", "admin "]), password: "wrong" } : {}) });
      case "/oauth/device_authorization":
        return [["client_id", client.client_id], ["scope", "openid"]];
      case "/device":
        return Object.entries({ ...page.fields, user_code: pick(["WDJB-MJHT", junk()]), decision: "allow" });
      case "/logout":
      case "/oauth/logout":
        return [["id_token_hint", token.id_token], ["client_id", client.client_id], ["state", "x"]];
      case "/oauth/register":
        return Object.entries({ client_name: "Random", redirect_uris: [REGISTERED], scope: "openid", ...(chance(0.98) ? { grant_types: 7 } : {}) });
      case "/api/v1/accounts/":
        return Object.entries({ username: `u${index}`, password: "short", scopes: ["read"] });
      default:
        return [];
    }
  }

  /** @param {[string, unknown][]} from @returns {[string, unknown][]} */
  function bent(from) {
    const pairs = [...from];
    const at = below(pairs.length);
    const value = () => (chance(0.6) ? pick(VALUES) : chance(0.5) ? junk() : pick([...Object.values(token), client.client_id, client.client_secret ?? "", client.redirect_uris[0], page.fields.request]));
    if (pairs.length === 0 || chance(0.3)) return [...pairs, [pick(NAMES), value()]];
    if (chance(0.2)) pairs.splice(at, 1);
    else if (chance(0.2)) pairs.push(pairs[at]);
    else if (chance(0.4)) pairs[at] = [pairs[at][0], value()];
    else pairs[at] = [pairs[at][0], altered(String(pairs[at][1]))];
    return pairs;
  }

  /** @param {string} text */
  function altered(text) {
    const at = below(text.length + 1);
    return pick([text.slice(0, at), text.slice(0, at) + String.fromCharCode(below(256)) + text.slice(at + 1), text + text, ` ${text}`, text.toUpperCase(), text.slice(0, at) + pick(VALUES) + text.slice(at)]);
  }

  /** @param {[string, unknown][]} pairs */
  function encoded(pairs) {
    const whole = pairs.map(([name, value]) => `${encodeURIComponent(name)}=${escaped(String(value))}`).join("&");
    return chance(0.05) ? whole + pick(["&", "&&=", "=", "&%", "&%zz=%FF%FE", "&%00", "+", ";"]) : whole;
  }

  /** A lone surrogate is none of anybody's. @param {string} text */
  function escaped(text) {
    return encodeURIComponent(text.toWellFormed()).replaceAll("%20", "+");
  }

  function body() {
    const type = chance(0.92) ? (json ? "application/json" : FORM) : pick([FORM, "application/json", "text/plain", "multipart/form-data; boundary=x", "", `${FORM}; charset=utf-16`, "application/json;", ";;;", "x"]);
    if (type !== "") lines.push(`content-type: ${type}`);
    if (chance(0.03)) return Array.from({ length: below(200) }, () => String.fromCharCode(below(256))).join("");
    if (type.startsWith(FORM)) return encoded(pairs);
    const whole = Buffer.from(JSON.stringify(Object.fromEntries(pairs)).toWellFormed()).toString("latin1");
    return chance(0.1) ? altered(whole) : chance(0.02) ? pick(['{"a":1,"a":2}', "[".repeat(5000), "", "null", '{"x":1e999}', '"\\ud800"']) : whole;
  }

  function credentials() {
    const basic = (/** @type {string} */ id, /** @type {string} */ secret) => `Basic ${btoa(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`)}`;
    const clients = ["/oauth/token", "/oauth/introspect", "/oauth/revoke", "/oauth/check_token"].includes(path);
    if (clients && chance(0.8)) {
      if (client.client_secret) lines.push(`authorization: ${basic(client.client_id, client.client_secret)}`);
      else pairs.push(["client_id", client.client_id]);
    } else if ((path.startsWith("/api/") || path === "/oauth/register") && chance(0.7)) {
      // Rotating keys is a thing that is done now and then.
      const may = path !== "/api/v1/keys/rotate" || chance(0.001);
      lines.push(`authorization: Bearer ${may ? BOOTSTRAP_TOKEN : token.access_token}`);
    } else if (path === "/oauth/userinfo" && chance(0.8)) {
      lines.push(`authorization: Bearer ${token.access_token}`);
    } else if (chance(0.3)) {
      lines.push(`authorization: ${pick([`Bearer ${altered(token.access_token).replace(/[^!-~]/g, "")}`, basic(client.client_id, junk()), `Basic ${btoa(junk())}`, "Basic", "Bearer", "DPoP x", `bearer ${token.id_token}`, junk().trim() || "x"])}`);
    }
    if (chance(0.5)) {
      const cookie = pick([page.cookie, pick(world.sessions), `${page.cookie}; ${pick(world.sessions)}`, "edgemint-session=ems_AAAA", `edgemint-session=${token.access_token}`, `edgemint-browser=${"A".repeat(32)}`, "=;;=", altered(pick(world.sessions)).replace(/[^ -~]/g, "")]);
      lines.push(`cookie: ${cookie}`);
    }
    if (chance(0.4)) lines.push(`origin: ${pick(["null", world.server, "https://evil.example", junk().trim() || "x"])}`);
    if (chance(0.4)) lines.push(`sec-fetch-site: ${pick(["same-origin", "same-origin", "cross-site", "none", "x"])}`);
  }

  function head() {
    return lines.map((line) => `${line}\r\n`).join("");
  }

  /** The body with its length, or in chunks. */
  function framed() {
    if (text === "" && chance(0.5) && !posts) return "\r\n";
    if (chance(posts ? 0.85 : 0.98)) return `content-length: ${text.length}\r\n\r\n${text}`;
    let chunks = "";
    const extensions = chance(0.05);
    for (let from = 0; from < text.length; ) {
      const size = 1 + below(Math.min(text.length - from, 200));
      chunks += `${size.toString(16)}${extensions ? ";x=y" : ""}\r\n${text.slice(from, from + size)}\r\n`;
      from += size;
    }
    return `transfer-encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`;
  }

  function malformed() {
    const junkBytes = () => Array.from({ length: 1 + below(60) }, () => String.fromCharCode(below(256))).join("");
    return pick([
      `${junkBytes()}\r\n\r\n`,
      `${method} ${path}${junkBytes()} HTTP/1.1\r\nhost: x\r\n\r\n`,
      `${start}${junkBytes()}: ${junkBytes()}\r\n${head()}${framed()}`,
      `${start}cookie: ${junkBytes()}\r\ncontent-length: 0\r\n\r\n`,
      `${start}content-length: -1\r\n\r\n`,
      `${start}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
      `POST ${path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n`,
      // More than is read: who goes on sending may lose the answer with the connection.
      `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: ${FORM}\r\ncontent-length: 70000\r\n\r\n${"a".repeat(70_000)}`,
      `POST ${path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n${`8000\r\n${"a".repeat(0x8000)}\r\n`.repeat(3)}0\r\n\r\n`,
      `GET ${path}?${"a".repeat(100_000)} HTTP/1.1\r\nhost: x\r\n\r\n`,
      `CONNECT evil.example:443 HTTP/1.1\r\nhost: evil.example:443\r\n\r\n`,
    ]);
  }
}
