// @ts-check
/**
 * Routes, and nothing else: path and method to the core, its answer to the platform. What the core
 * cannot say itself is said here: no such path, no such method, that it is gone, and documents that it
 * has no room for.
 */
import { WorkerEntrypoint } from "cloudflare:workers";
import * as protocol from "./core.js";
import * as management from "./deciding.js";
import { documents } from "./documents.js";
import { route } from "./routes.js";

export { Courier, Directory, Feed, Ledger } from "./objects.js";

/** Bytes of a body that is read at all: the largest form or JSON that anything here expects. */
const LARGEST_BODY = 64 * 1024;
/**
 * Bytes of a larger one that are taken and thrown away. Who is still sending when the connection goes
 * may never see the answer; who sends more than this does it on purpose.
 */
const LARGEST_REFUSED = 1024 * 1024;

/** Endpoints that are told a passphrase; no other is. */
const COPIES = ["export", "import"];

/** What the core is told where a proxy asks, and nowhere else: each header costs time. */
const OF_PROXY = ["x-edgemint-proxy", "x-original-url", "x-original-method", "x-requested-with", "x-forwarded-for", "access-control-request-method"];
/** What is said besides by proxies that cannot say `X-Original-URL`. */
const OF_FORWARDER = ["x-forwarded-method", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-uri"];

export default {
  /**
   * @param {Request} request
   * @param {any} env
   * @param {ExecutionContext} ctx
   */
  async fetch(request, env, ctx) {
    const id = crypto.randomUUID();
    try {
      return await answer(request, env, ctx, id);
    } catch (error) {
      failed(error, id);
      return json(500, { error: "server_error", error_description: "something failed on our side" }, id);
    }
  },
};

/**
 * @param {Request} request
 * @param {any} env
 * @param {ExecutionContext} ctx
 * @param {string} id
 */
async function answer(request, env, ctx, id) {
  const { method, headers } = request;
  const url = request.url;
  const start = url.indexOf("/", url.indexOf("//") + 2);
  const question = url.indexOf("?", start);
  const path = question < 0 ? url.slice(start) : url.slice(start, question);
  const query = question < 0 ? "" : url.slice(question + 1);
  /** @type {string | undefined} */
  let body = "";
  if (method !== "GET" && method !== "HEAD") {
    try {
      body = await read(request);
    } catch {
      note(env, id, method, 400);
      return json(400, { error: "invalid_request", error_description: "the body did not arrive whole" }, id);
    }
  }
  const below = base(env);
  const found = route(path, below);
  const asked = method === "HEAD" ? "GET" : method;
  const endpoint = found !== undefined && Object.hasOwn(found.methods, asked) ? found.methods[asked] : undefined;
  if (found === undefined || (endpoint === undefined && found.hidden)) {
    note(env, id, method, 404);
    return json(404, { error: "not_found", error_description: "there is nothing at this path" }, id);
  }
  if (endpoint === undefined) {
    const response = otherMethod(found, method, id);
    note(env, id, method, response.status);
    return response;
  }
  const document = documents[endpoint];
  if (document !== undefined) {
    const [text, headers] = document(env);
    note(env, id, method, 200, endpoint);
    return new Response(method === "HEAD" ? null : text, { headers: { ...headers, "x-request-id": id } });
  }
  // Each look at a header costs a third of a microsecond: there are none at what an endpoint does not go by.
  const given = (/** @type {string} */ name, asked = true) => (asked ? line(headers.get(name)) : "");
  // What pages of other origins may call looks at no cookie and at nothing that only browsers say.
  const own = found.cors !== true;
  // A proxy asks without a body, and the forms behind it are not ours.
  const pages = own && !found.hidden;
  // One text in and one text out: each crossing into the core costs as much as a hash.
  const text =
    `${id}\n${endpoint}\n${asked}\n${path.slice(below.length)}\n${query}\n${given("authorization")}\n` +
    `${given("content-type", !found.hidden)}\n${given("cookie", own)}\n${given("origin", own)}\n` +
    `${given("sec-fetch-site", pages)}\n${given("x-csrf-token", pages)}\n${given("user-agent", endpoint === "login")}\n` +
    `${given("x-export-passphrase", COPIES.includes(endpoint))}\n${given("accept", endpoint === "introspect")}\n` +
    // Only the platform sets this one; a local run has no address that could be trusted.
    `${given("cf-connecting-ip", !env.LOCAL && !found.hidden)}\n${found.hidden ? ofProxy(headers) : line(body)}`;
  const module = found.management ? management : protocol;
  const answered = module.enter((core) => core.answer(env, text, Date.now()));
  /** @type {string} */
  const said = typeof answered === "string" ? answered : await answered;
  const end = said.indexOf("\n\n", 3) + 1;
  const status = Number(said.slice(0, 3));
  const content = said.slice(end + 1);
  // The answer copies them, so that the id may be put where the next request finds another's: looking at the headers
  // of the answer itself would make an object of the platform's once more.
  const shared = headersOf(said.slice(5, end));
  shared.set("x-request-id", id);
  // An empty text would be sent as text/plain, and oidc-client-ts takes that for a broken answer.
  const response = new Response(method === "HEAD" || status === 204 ? null : content || null, { status, headers: shared });
  behind(said[3], module, env, ctx, id);
  return response;
}

/**
 * What a module wants done behind its answer.
 *
 * @param {string} sign
 * @param {typeof protocol | typeof management} module
 * @param {any} env
 * @param {any} ctx
 * @param {string} id
 */
function behind(sign, module, env, ctx, id) {
  if (sign === "+") {
    ctx.waitUntil(Promise.resolve(module.enter((core) => core.refresh(env, Date.now(), id))));
  } else if (sign === "!") {
    (module === protocol ? management : protocol).told();
  }
}

/**
 * What a proxy says of the request that it asks about.
 *
 * @param {Headers} headers
 */
function ofProxy(headers) {
  let lines = "";
  for (const name of OF_PROXY) {
    lines += `${line(headers.get(name))}\n`;
  }
  if (!headers.has("x-original-url")) {
    for (const name of OF_FORWARDER) {
      lines += `${line(headers.get(name))}\n`;
    }
  }
  return lines;
}

/**
 * How the core reads whether something is there.
 *
 * @param {string | null | undefined} value
 */
function line(value) {
  return value === null || value === undefined ? "" : `=${value}`;
}

/**
 * The body, or nothing when it is larger than anything expected. It is always read or cancelled:
 * one that is left costs the connection.
 *
 * @param {Request} request
 * @returns {Promise<string | undefined>}
 */
async function read(request) {
  // `body` is only touched where it has to be: that makes a stream, which costs as much as an answer.
  const { headers } = request;
  const length = headers.get("content-length");
  // Beside a transfer encoding the length says nothing (RFC 9112 §6.3).
  if (length !== null && Number(length) <= LARGEST_BODY && !headers.has("transfer-encoding")) {
    return request.text();
  }
  const { body } = request;
  if (body === null) {
    return "";
  }
  let size = 0;
  /** @type {string[]} */
  let chunks = [];
  // As `text()` reads: a mark at the beginning stays, and JSON with one is refused either way.
  const decoder = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) {
      return size > LARGEST_BODY ? undefined : chunks.join("") + decoder.decode();
    }
    size += value.byteLength;
    if (size > LARGEST_REFUSED) {
      await reader.cancel();
      return undefined;
    }
    if (size > LARGEST_BODY) {
      chunks = [];
    } else {
      chunks.push(decoder.decode(value, { stream: true }));
    }
  }
}

/**
 * The log line of a request that the core never saw; of the others it writes one itself.
 *
 * @param {any} env
 * @param {string} id
 * @param {string} method
 * @param {number} status
 * @param {string | null} [endpoint]
 */
function note(env, id, method, status, endpoint = null) {
  const logged = env.EDGEMINT_LOG || "all";
  if (logged === "all" || (logged === "refusals" && status >= 400)) {
    console.log(JSON.stringify({ time: Date.now(), request_id: id, endpoint, method, status }));
  }
}

/**
 * A preflight, or 405.
 *
 * @param {import("./routes.js").Route} found
 * @param {string} method
 * @param {string} id
 */
function otherMethod(found, method, id) {
  const methods = Object.keys(found.methods);
  const allow = methods.includes("GET") ? ["HEAD", ...methods] : methods;
  if (method === "OPTIONS" && found.cors) {
    return new Response(null, {
      status: 204,
      headers: {
        "access-control-allow-origin": "*",
        "access-control-allow-methods": methods.join(", "),
        "access-control-allow-headers": "authorization, content-type, dpop",
        "access-control-max-age": "86400",
        "x-request-id": id,
      },
    });
  }
  const response = json(405, { error: "invalid_request", error_description: "the method is not allowed here" }, id);
  response.headers.set("allow", allow.join(", "));
  return response;
}

/** @type {{ issuer?: string, base: string }} */
const known = { base: "" };

/**
 * The path of the issuer; empty for most.
 *
 * @param {any} env
 */
function base(env) {
  if (known.issuer !== env.ISSUER) {
    known.issuer = env.ISSUER;
    known.base = /^[a-z]+:\/\/[^/]+(\/.*)$/.exec(env.ISSUER ?? "")?.[1] ?? "";
  }
  return known.base;
}

/** @type {Map<string, Headers>} the headers that many answers have alike */
const alike = new Map();
/** A few for each endpoint; what names a person or a place comes once and is not worth keeping. */
const MOST_ALIKE = 100;
/** Nor is what counts, or is somebody's credential. */
const ONCE = /^(set-cookie|location|cookie|authorization|x-auth-request-token|x-ratelimit-used): /m;

/**
 * @param {string} lines `name: value` lines
 * @returns {Headers}
 */
function headersOf(lines) {
  const known = alike.get(lines);
  if (known !== undefined) {
    return known;
  }
  const made = new Headers(pairs(lines));
  if (!ONCE.test(lines)) {
    if (alike.size >= MOST_ALIKE) {
      alike.clear();
    }
    alike.set(lines, made);
  }
  return made;
}

/**
 * @param {string} lines `name: value` lines
 * @returns {[string, string][]}
 */
function pairs(lines) {
  /** @type {[string, string][]} */
  const headers = [];
  for (let from = 0; from < lines.length; ) {
    const colon = lines.indexOf(": ", from);
    const end = lines.indexOf("\n", colon);
    headers.push([lines.slice(from, colon), lines.slice(colon + 2, end)]);
    from = end + 1;
  }
  return headers;
}

/**
 * @param {unknown} error
 * @param {string} id
 */
function failed(error, id) {
  console.error(JSON.stringify({ level: "error", request_id: id, reason: String(error) }));
}

/**
 * @param {number} status
 * @param {Record<string, unknown>} body
 * @param {string} id
 */
function json(status, body, id) {
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      "content-type": "application/json",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "x-request-id": id,
    },
  });
}

/**
 * For Workers with a service binding. The binding's `props` say which client it is; without them
 * every method refuses.
 */
export class Edgemint extends WorkerEntrypoint {
  /** @param {string} token */
  introspect(token) {
    return ask(this.env, this.ctx, "introspect", text(token));
  }

  /**
   * @param {Request} request
   * @param {{ scopes?: string[], satisfy?: "all" | "any", bodyHash?: string }} [required] `bodyHash`: of a request that is
   *   signed by MAC, in base64, by the hash of its key's algorithm
   */
  validate(request, { scopes = [], satisfy = "all", bodyHash } = {}) {
    // One that is missing, for instance a setting that was never made, must not mean that none is needed.
    const texts = Array.isArray(scopes) && scopes.every((scope) => typeof scope === "string" && scope !== "");
    const how = satisfy === "all" || satisfy === "any" ? satisfy : "";
    const authorization = request.headers.get("authorization");
    const lines = `${how}\n${line(authorization)}\n${texts ? line(scopes.join(" ")) : ""}`;
    // `MAC …`: no bearer token has a space there.
    if (authorization?.[3] === " ") {
      return ask(this.env, this.ctx, "validate_mac", `${lines}\n${line(request.method)}\n${line(request.url)}\n${text(bodyHash)}`);
    }
    return ask(this.env, this.ctx, "validate", lines);
  }

  /** @param {string} token */
  revoke(token) {
    return ask(this.env, this.ctx, "revoke", text(token));
  }
}

/** @param {unknown} value what a caller gave for a text */
function text(value) {
  return typeof value === "string" ? line(value) : "";
}

/**
 * What the core says, without a promise if it has nothing to wait for.
 *
 * @param {any} env
 * @param {any} ctx
 * @param {string} verb
 * @param {string} lines its arguments
 */
function ask(env, ctx, verb, lines) {
  const id = crypto.randomUUID();
  const refuse = (/** @type {unknown} */ error) => {
    failed(error, id);
    return { error: "server_error", status: 500, challenge: null };
  };
  const named = ctx.props?.client;
  // A number is no client, and what has a line break would be read as two lines.
  const client = typeof named === "string" && !named.includes("\n") ? named : "";
  const read = (/** @type {string} */ said) => {
    if (said[0] === "{") {
      return JSON.parse(said);
    }
    behind(said[0], protocol, env, ctx, id);
    return JSON.parse(said.slice(1));
  };
  try {
    const answered = protocol.enter((core) => core.call(env, `${id}\n${verb}\n${client}\n${lines}`, Date.now()));
    return typeof answered === "string" ? read(answered) : answered.then(read).catch(refuse);
  } catch (error) {
    return refuse(error);
  }
}
