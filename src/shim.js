// @ts-check
/**
 * Routes, and nothing else: path and method to the core, its answer to the platform. What the core
 * cannot say itself is said here: no such path, no such method, that it is gone, and documents that it
 * has no room for.
 */
import { behind, failed } from "./behind.js";
import * as protocol from "./core.js";
import * as management from "./deciding.js";
import { documents } from "./documents.js";
import { question } from "./question.js";
import { route } from "./routes.js";

export { Edgemint } from "./binding.js";
export { Courier, Directory, Feed, Ledger } from "./objects.js";

/** Bytes of a body that is read at all: the largest form or JSON that anything here expects. */
const LARGEST_BODY = 64 * 1024;
/**
 * Bytes of a larger one that are taken and thrown away. Who is still sending when the connection goes
 * may never see the answer; who sends more than this does it on purpose.
 */
const LARGEST_REFUSED = 1024 * 1024;

export default {
  /**
   * @param {Request} request
   * @param {any} env
   * @param {ExecutionContext} ctx
   * @returns {Response | Promise<Response>}
   */
  fetch(request, env, ctx) {
    const id = crypto.randomUUID();
    // A promise where there is nothing to wait for costs a turn of the loop: most answers are there at once.
    try {
      const { method } = request;
      const answered = method === "GET" || method === "HEAD" ? answer(request, env, ctx, id, "") : withBody(request, env, ctx, id);
      return answered instanceof Promise ? answered.catch((/** @type {unknown} */ error) => wrong(error, id)) : answered;
    } catch (error) {
      return wrong(error, id);
    }
  },
};

/**
 * @param {unknown} error
 * @param {string} id
 */
function wrong(error, id) {
  failed(error, id);
  return json(500, { error: "server_error", error_description: "something failed on our side" }, id);
}

/**
 * @param {Request} request
 * @param {any} env
 * @param {ExecutionContext} ctx
 * @param {string} id
 */
function withBody(request, env, ctx, id) {
  return read(request).then(
    (body) => answer(request, env, ctx, id, body),
    () => {
      note(env, id, request.method, 400);
      return json(400, { error: "invalid_request", error_description: "the body did not arrive whole" }, id);
    },
  );
}

/**
 * @param {Request} request
 * @param {any} env
 * @param {ExecutionContext} ctx
 * @param {string} id
 * @param {string | undefined} body
 * @returns {Response | Promise<Response>}
 */
function answer(request, env, ctx, id, body) {
  const { method, headers, url } = request;
  const start = url.indexOf("/", url.indexOf("//") + 2);
  const mark = url.indexOf("?", start);
  const path = mark < 0 ? url.slice(start) : url.slice(start, mark);
  const query = mark < 0 ? "" : url.slice(mark + 1);
  const below = base(env);
  const found = route(path, below);
  const asked = method === "HEAD" ? "GET" : method;
  const endpoint = found?.methods.get(asked);
  if (found === undefined || (endpoint === undefined && found.hidden)) {
    note(env, id, method, 404);
    return json(404, { error: "not_found", error_description: "there is nothing at this path" }, id);
  }
  if (endpoint === undefined) {
    const response = otherMethod(found, method, id);
    note(env, id, method, response.status);
    return response;
  }
  const document = documents.get(endpoint);
  if (document !== undefined) {
    const [text, headers] = document(env);
    note(env, id, method, 200, endpoint);
    return new Response(method === "HEAD" ? null : text, { headers: { ...headers, "x-request-id": id } });
  }
  const text = question(id, endpoint, asked, below === "" ? path : path.slice(below.length), query, found, headers, body, env);
  const module = found.management ? management : protocol;
  const answered = module.enter((core) => core.answer(env, text, Date.now()));
  const bare = method === "HEAD";
  if (typeof answered === "string") {
    return respond(answered, bare, module, env, ctx, id);
  }
  return answered.then((/** @type {string} */ said) => respond(said, bare, module, env, ctx, id));
}

/**
 * What the core says, said to the platform.
 *
 * @param {string} said
 * @param {boolean} bare whether the method was HEAD
 * @param {typeof protocol | typeof management} module
 * @param {any} env
 * @param {ExecutionContext} ctx
 * @param {string} id
 */
function respond(said, bare, module, env, ctx, id) {
  const end = said.indexOf("\n\n", 3) + 1;
  const status = Number(said.slice(0, 3));
  const content = said.slice(end + 1);
  // The answer copies them, so that the id may be put where the next request finds another's: looking at the headers
  // of the answer itself would make an object of the platform's once more.
  const shared = headersOf(said.slice(5, end));
  shared.set("x-request-id", id);
  // An empty text would be sent as text/plain, and oidc-client-ts takes that for a broken answer.
  const response = new Response(bare || status === 204 ? null : content || null, { status, headers: shared });
  behind(said[3], module, env, ctx, id);
  return response;
}

/**
 * The body, or nothing when it is larger than anything expected. It is always read or cancelled:
 * one that is left costs the connection.
 *
 * @param {Request} request
 * @returns {Promise<string | undefined>}
 */
function read(request) {
  // `body` is only touched where it has to be: that makes a stream, which costs as much as an answer.
  const { headers } = request;
  const length = headers.get("content-length");
  // Beside a transfer encoding the length says nothing (RFC 9112 §6.3).
  if (length !== null && Number(length) <= LARGEST_BODY && !headers.has("transfer-encoding")) {
    return request.text();
  }
  const { body } = request;
  return body === null ? Promise.resolve("") : readUpToBound(body);
}

/**
 * @param {ReadableStream<Uint8Array>} body
 * @returns {Promise<string | undefined>}
 */
async function readUpToBound(body) {
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
 * @param {import("./routes.js").Asked} found
 * @param {string} method
 * @param {string} id
 */
function otherMethod(found, method, id) {
  const methods = [...found.methods.keys()];
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
/** A few for each endpoint, and one for each person that proxies ask about: two megabytes. */
const MOST_ALIKE = 1_000;
/** What leads to one place, counts, or is somebody's credential is not worth keeping. */
const ONCE = /^(set-cookie|location|cookie|authorization|x-auth-request-token|x-auth-request-body-hash|x-ratelimit-used): /m;

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
