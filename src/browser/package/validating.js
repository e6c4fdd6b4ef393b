// @ts-check
// Validation at a resource. Every verdict is the module's; here is what it is to be given, and who is asked when it lacks
// something.
import { Validation } from "./validation.js";
import { keysOf, metadataOf, revocationsOf } from "./copies.js";
import { ask, within, isSecure } from "./fetching.js";

/** Characters of an introspection: a token may have a scope of sixteen thousand. */
const LONGEST_INTROSPECTION = 65_536;
/** Seconds by which clocks may differ, at most. */
const LONGEST_WINDOW = 300;

/** Seconds: beyond, a copy of what was revoked is none. */
const LONGEST_MAX_AGE = 24 * 3_600;

/** @param {string} name @param {string} rule */
const unfit = (name, rule) => Object.assign(new TypeError(`${name} ${rule}`), { name: "EdgemintError", code: "options_invalid" });

/**
 * @param {() => Promise<unknown> | void} load
 * @param {(work: Promise<unknown>) => void} [keepAlive] in a Worker, behind the answer
 */
export function validatorAfter(load, keepAlive = () => {}) {
  const behind = (/** @type {Promise<unknown>} */ work) => {
    const settled = work.catch(() => {});
    try {
      keepAlive(settled);
    } catch {
      // Outside of a request nothing has to be kept alive.
    }
  };
  return { createValidator: (/** @type {any} */ options) => createValidator(read(options), load, behind), refusalResponse };
}

/**
 * @param {ReturnType<typeof read>} settings
 * @param {() => Promise<unknown> | void} load
 * @param {(work: Promise<unknown>) => void} behind
 */
function createValidator(settings, load, behind) {
  const { issuer, audience, resourceKeys, binding, introspection, revocations, mac, fetch } = settings;
  /** @type {Validation | undefined} */
  let made;
  const module = () => (made ??= fitting(() => new Validation(issuer, audience, resourceKeys, revocations && revocations.maxAge * 1_000)));
  const world = { issuer, fetch, behind };
  const metadata = metadataOf(world);
  const keys = keysOf(world, module, metadata);
  const feed = revocations && revocationsOf(world, module, revocations);

  /** @param {any} input @param {any} [required] */
  async function validate(input, required = {}) {
    const authorization = headerOf(input);
    const { scopes, any } = needed(required);
    await load();
    if (mac && isMac(authorization)) return validateSigned(mac, input, authorization ?? "", required, scopes, any);
    // One moment for all of a request: what is asked for meanwhile is as new as can be.
    const now = Date.now();
    const validation = module();
    const judge = async () => JSON.parse(await fitting(() => validation.validate(authorization, scopes, any, now)));
    if (isJwt(authorization)) await keys.fresh(now);
    let verdict = await judge();
    if (verdict.cause === "key_unknown") {
      const newest = await keys.newer(now);
      verdict = await judge();
      if (verdict.cause === "key_unknown" && !newest) verdict = unavailable("no_keys");
    }
    if (verdict.cause === "no_resource_keys" || verdict.cause === "resource_keys_outdated") {
      const asked = binding ? askBinding : introspection ? introspect : undefined;
      return asked ? asked(validation, authorization ?? "", scopes, any) : verdict;
    }
    if (feed === undefined) return verdict;
    if (verdict.cause === "revocations_outdated") {
      await feed.renew(now);
      verdict = await judge();
    } else if (verdict.active) {
      feed.refresh(now);
    }
    return verdict;
  }

  /**
   * Of a request that is signed by MAC: the issuer says what the key is, and whoever uses this whether the nonce was
   * used before.
   *
   * @param {NonNullable<typeof mac>} mac
   * @param {any} input
   * @param {string} authorization
   * @param {any} required
   * @param {string} scopes
   * @param {boolean} any
   */
  async function validateSigned(mac, input, authorization, required, scopes, any) {
    const validation = module();
    const asked = await signedRequest(mac, input, required);
    const now = Date.now();
    /** @type {(answer: string, request: any, spent?: boolean) => any} */
    const signed = (answer, request, spent) => JSON.parse(fitting(() => validation.signed(authorization, answer, JSON.stringify(request), scopes, any, now, spent)));
    const id = validation.macKeyId(authorization);
    // The issuer is not asked about what is none of its.
    if (id === undefined || !id.startsWith("emm_")) return signed("{}", asked.request);
    const answer = await introspected(id).catch(() => undefined);
    if (answer === undefined) return unavailable("issuer_away");
    const request = { ...asked.request, ...(await asked.hashed(answer)) };
    const { nonce, ...refused } = signed(answer, request);
    // Of whom it does not serve it was told no key.
    if (nonce === undefined) return refused.error === "unavailable" ? unavailable("issuer_away") : refused;
    /** @type {unknown} */
    let first;
    try {
      // What was signed as far ahead of our clock as may be is refused for its age from then on, wherever another clock is a
      // minute behind, and whatever the window is set to meanwhile.
      first = await mac.spend(nonce, Math.ceil(now / 1_000) + 2 * LONGEST_WINDOW + 60);
    } catch {
      // It is not known, which is no verdict.
    }
    return typeof first === "boolean" ? signed(answer, request, first) : unavailable("nonce_unspent");
  }

  /** What the issuer says of a token, as it says it. @param {string} token */
  async function introspected(token) {
    if (!binding) return askIntrospection(token);
    const answer = await within((async () => binding.introspect(token))());
    if (typeof answer?.active !== "boolean") throw new Error("no answer");
    return JSON.stringify(answer);
  }

  /**
   * @param {Validation} validation
   * @param {string} authorization
   * @param {string} scopes
   * @param {boolean} any
   */
  async function askBinding(validation, authorization, scopes, any) {
    const request = new Request(issuer, { headers: { authorization } });
    const required = { scopes: scopes === "" ? [] : scopes.split(" "), satisfy: any ? "any" : "all" };
    /** @type {any} */
    const answer = await within((async () => binding.validate(request, required))()).catch(() => undefined);
    if (answer?.error === "invalid_token" || answer?.error === "insufficient_scope") {
      const { error, status, challenge } = answer;
      const lacking = error === "insufficient_scope" ? required.scopes.sort().join(" ") : null;
      return { active: false, error, status, challenge, scope: lacking, cause: "refused_by_issuer" };
    }
    if (answer?.active !== true) return unavailable("issuer_away");
    // It speaks of its own access tokens alone, and does not say so; whom they are for is asked here again.
    const told = JSON.stringify({ iat: 0, ...answer, iss: issuer, token_type: "Bearer" });
    return JSON.parse(validation.introspected(told, scopes, any, Date.now()));
  }

  /**
   * @param {Validation} validation
   * @param {string} authorization
   * @param {string} scopes
   * @param {boolean} any
   */
  async function introspect(validation, authorization, scopes, any) {
    try {
      const text = await askIntrospection(authorization.slice(authorization.indexOf(" ") + 1));
      const verdict = JSON.parse(validation.introspected(text, scopes, any, Date.now()));
      return verdict.error === "unavailable" ? unavailable("issuer_away") : verdict;
    } catch {
      return unavailable("issuer_away");
    }
  }

  /** @param {string} token */
  async function askIntrospection(token) {
    const { clientId, clientSecret } = /** @type {{ clientId: string, clientSecret: string }} */ (introspection);
    const { introspection_endpoint } = await metadata(Date.now());
    const { text } = await ask(fetch, introspection_endpoint, LONGEST_INTROSPECTION, {
      method: "POST",
      headers: {
        // RFC 6749 §2.3.1: both are encoded first, so that neither has a colon.
        authorization: `Basic ${btoa(`${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`)}`,
        "content-type": "application/x-www-form-urlencoded",
        accept: "application/json",
      },
      body: new URLSearchParams({ token, token_type_hint: "access_token" }).toString(),
    });
    return text;
  }

  return { validate };
}

/**
 * What has to have been signed. Host and port are the resource's own, whatever the request says.
 *
 * @param {{ host: string, port: number, window: number }} mac
 * @param {any} input
 * @param {any} required
 */
async function signedRequest({ host, port, window }, input, { uri, body, bodyHash }) {
  if (typeof input?.method !== "string" || typeof input?.url !== "string") {
    throw unfit("the request", "has to have method and url where requests are signed");
  }
  const parsed = new URL(input.url, "http://any.example");
  const request = { method: input.method, uri: uri ?? parsed.pathname + parsed.search, host, port, window };
  /** The hash of the body, in the words of the key's algorithm. @param {string} answer */
  async function hashed(answer) {
    if (bodyHash !== undefined) return { bodyHash };
    if (body === undefined) return {};
    const algorithm = algorithmOf(answer) === "hmac-sha-1" ? "SHA-1" : "SHA-256";
    const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
    const hash = await crypto.subtle.digest(algorithm, bytes);
    return { bodyHash: btoa(String.fromCharCode(...new Uint8Array(hash))) };
  }
  return { request, hashed };
}

/** @param {string} answer of introspection; what is none, the module says */
function algorithmOf(answer) {
  try {
    return JSON.parse(answer).mac_algorithm;
  } catch {
    return undefined;
  }
}

/** @param {string} cause */
const unavailable = (cause) => ({ active: false, error: "unavailable", status: 503, challenge: null, scope: null, cause });

/**
 * The answer to a request that was refused.
 *
 * @param {{ error: string, status: number, challenge: string | null }} refusal
 */
function refusalResponse({ error, status, challenge }) {
  const headers = new Headers({ "content-type": "application/json", "cache-control": "no-store" });
  if (challenge !== null) headers.set("www-authenticate", challenge);
  if (status === 503) headers.set("retry-after", "1");
  return new Response(JSON.stringify({ error }), { status, headers });
}

/** @param {any} input @returns {string | undefined} */
function headerOf(input) {
  if (input === undefined || input === null) return undefined;
  if (typeof input === "string") return input;
  if (typeof input.headers?.get === "function") return input.headers.get("authorization") ?? undefined;
  throw unfit("the request", "has to be a Request, or the text of its Authorization header");
}

/** @param {string | undefined} authorization whether keys of the issuer would be needed */
const isJwt = (authorization) => authorization !== undefined && /^bearer [\w-]+\.[\w-]+\.[\w-]+$/i.test(authorization);

/** @param {string | undefined} authorization whether it says how the request was signed */
const isMac = (authorization) => authorization !== undefined && /^mac /i.test(authorization);

/** @param {any} required what is missing must not mean that nothing is needed */
function needed({ scopes = [], satisfy = "all" }) {
  const texts = Array.isArray(scopes) && scopes.every((scope) => typeof scope === "string" && /^[!#-[\]-~]+$/.test(scope));
  if (!texts) throw unfit("scopes", "has to be a list of scopes");
  if (satisfy !== "all" && satisfy !== "any") throw unfit("satisfy", 'is "all" or "any"');
  return { scopes: scopes.join(" "), any: satisfy === "any" };
}

/**
 * What the module throws is the name of what does not fit.
 *
 * @template T
 * @param {() => T} call
 * @returns {T}
 */
function fitting(call) {
  try {
    return call();
  } catch (reason) {
    throw typeof reason === "string" ? unfit(reason, "is not as it should be") : reason;
  }
}

/** @param {any} options */
function read(options) {
  const { issuer, audience, resourceKeys, binding, introspection, revocations, mac, fetch } = options ?? {};
  const text = (/** @type {unknown} */ value) => typeof value === "string" && value !== "";
  if (!text(issuer) || !URL.canParse(issuer) || /[?#]|\/$/.test(issuer)) throw unfit("issuer", "has to be the issuer's URL, as its metadata says it");
  if (!isSecure(issuer)) throw unfit("issuer", "has to be https, without credentials");
  if (!text(audience)) throw unfit("audience", "has to be the name of this resource");
  const given = typeof resourceKeys === "string" ? parsed(resourceKeys) : resourceKeys;
  if (given !== undefined) {
    if (given?.issuer !== issuer) throw unfit("resourceKeys", "are not of this issuer");
    if (given.resource !== audience) throw unfit("resourceKeys", "are not for this audience");
    const fits = (/** @type {any} */ key) => text(key?.root) && typeof key.key === "string" && /^[\w-]{43}$/.test(key.key);
    if (!Array.isArray(given.keys) || given.keys.length === 0 || !given.keys.every(fits)) throw unfit("resourceKeys", "have no keys");
    if (!Number.isInteger(given.epoch)) throw unfit("resourceKeys", "have no epoch");
  }
  // A stub of the platform has every method there is, and says `function` of itself.
  if (binding !== undefined && typeof binding?.validate !== "function") throw unfit("binding", "has to be a service binding to the issuer");
  if (introspection !== undefined && !(text(introspection?.clientId) && text(introspection?.clientSecret))) {
    throw unfit("introspection", "needs clientId and clientSecret");
  }
  if (mac !== undefined && binding === undefined && introspection === undefined) throw unfit("mac", "needs binding or introspection, which know the keys");
  if (revocations !== undefined) {
    const { token, maxAge } = revocations ?? {};
    if (!text(token) && typeof token !== "function") throw unfit("revocations.token", "has to be a token, or a function that gives one");
    if (!Number.isFinite(maxAge) || maxAge < 1 || maxAge > LONGEST_MAX_AGE) throw unfit("revocations.maxAge", "has to be seconds, from one to a day's");
  }
  if (fetch !== undefined && typeof fetch !== "function") throw unfit("fetch", "has to be a function");
  return {
    issuer,
    audience,
    resourceKeys: given === undefined ? undefined : JSON.stringify(given),
    binding,
    introspection,
    revocations,
    mac: mac === undefined ? undefined : signing(mac),
    /** @type {typeof globalThis.fetch} */
    fetch: fetch ?? ((input, init) => globalThis.fetch(input, init)),
  };
}

/** @param {any} mac */
function signing(mac) {
  const { origin, spend, window = 60 } = mac ?? {};
  if (typeof origin !== "string" || !URL.canParse(origin)) throw unfit("mac.origin", "has to be where requests are sent to, as https://api.example");
  const { protocol, hostname, port, pathname, search, hash } = new URL(origin);
  if (!/^https?:$/.test(protocol) || pathname + search + hash !== "/") throw unfit("mac.origin", "has to be an origin");
  // Without it, whoever sees a request could send it again.
  if (typeof spend !== "function") throw unfit("mac.spend", "has to be a function that spends a nonce, once");
  if (!Number.isInteger(window) || window < 5 || window > LONGEST_WINDOW) throw unfit("mac.window", "has to be 5 to 300 seconds");
  /** @type {(nonce: string, rememberedUntil: number) => boolean | Promise<boolean>} */
  const spends = spend;
  return { host: hostname, port: port === "" ? (protocol === "https:" ? 443 : 80) : Number(port), spend: spends, window };
}

/** @param {string} json */
function parsed(json) {
  try {
    return JSON.parse(json);
  } catch {
    throw unfit("resourceKeys", "are no JSON");
  }
}
