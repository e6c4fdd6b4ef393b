// @ts-check
// Copies of what the issuer published: its addresses, its keys, and what it revoked.
import { Away, ask, elapsed, secure, single } from "./fetching.js";

/** Characters: what the issuer says of itself, as many keys as the module takes, one answer of the feed (5000 lines). */
const LIMITS = { metadata: 65_536, keys: 65_536, revocations: 4_000_000 };
const MINUTE = 60_000;
/** Between these, `max-age` says how long keys are kept. */
const KEYS_KEPT = [5 * MINUTE, 10 * MINUTE];
/** As long as keys of before do while no new ones can be fetched, and as long as the addresses are kept. */
const HOUR = 60 * MINUTE;
/** Keys are fetched once in this time, however many unknown ones are named. */
const PAUSE = 30_000;
/** What was never there is asked for again after this. */
const SHORT_PAUSE = 1_000;

/** @typedef {import("./validation.js").Validation} Validation */
/** @typedef {{ issuer: string, fetch: typeof fetch, behind: (work: Promise<unknown>) => void }} World */

/**
 * @param {World} world
 * @returns {(now: number) => Promise<Record<string, unknown>>} the issuer's metadata
 */
export function metadataOf({ issuer, fetch, behind }) {
  /** @type {Record<string, unknown> | undefined} */
  let known;
  /** @type {number | undefined} */
  let readAt;
  const flight = single(async () => {
    const now = Date.now();
    const { text } = await ask(fetch, `${issuer}/.well-known/openid-configuration`, LIMITS.metadata);
    const found = JSON.parse(text);
    // Else whoever answers here could name keys of their own for somebody else (RFC 8414 §3.3).
    if (found?.issuer !== issuer) throw new Away("the metadata is another issuer's");
    [known, readAt] = [found, now];
  }, behind);
  return async (now) => {
    if (elapsed(readAt, now) > HOUR) {
      await flight.join().catch((reason) => {
        if (known === undefined) throw reason;
      });
    }
    return /** @type {Record<string, unknown>} */ (known);
  };
}

/**
 * @param {World} world
 * @param {() => Validation} validation
 * @param {(now: number) => Promise<Record<string, unknown>>} metadata
 */
export function keysOf({ fetch, behind }, validation, metadata) {
  /** @type {number | undefined} */
  let readAt;
  /** @type {number | undefined} */
  let triedAt;
  let life = 0;
  let failed = false;
  const flight = single(async () => {
    const now = Date.now();
    triedAt = now;
    failed = true;
    const { jwks_uri } = await metadata(now);
    const { text, headers } = await ask(fetch, jwks_uri, LIMITS.keys, { headers: { accept: "application/json" } });
    validation().takeKeys(text);
    const told = /(?:^|[\s,])max-age=(\d{1,9})/i.exec(headers.get("cache-control") ?? "");
    const [least, most] = KEYS_KEPT;
    life = Math.min(Math.max(Number(told?.[1] ?? 0) * 1_000, least), most);
    readAt = now;
    failed = false;
  }, behind);

  /** @param {number} now */
  const renew = async (now) => {
    const pause = readAt === undefined ? SHORT_PAUSE : PAUSE;
    if (!flight.underWay() && elapsed(triedAt, now) < pause) return;
    await flight.join().catch(() => {});
  };
  return {
    /** Keys to begin with; older ones go on for an hour. @param {number} now */
    async fresh(now) {
      if (elapsed(readAt, now) < life) return;
      await renew(now);
      if (readAt !== undefined && elapsed(readAt, Date.now()) > HOUR) {
        readAt = undefined;
        validation().forgetKeys();
      }
    },
    /** For one that is not there: whether what is there now is what the issuer has. @param {number} now */
    async newer(now) {
      await renew(now);
      return !failed;
    },
  };
}

/**
 * @param {World} world
 * @param {() => Validation} validation
 * @param {{ token: string | (() => string | Promise<string>), maxAge: number }} revocations
 */
export function revocationsOf({ issuer, fetch, behind }, validation, { token, maxAge }) {
  const bound = maxAge * 1_000;
  /** @type {number | undefined} */
  let failedAt;
  const flight = single(async () => {
    failedAt = Date.now();
    const bearer = typeof token === "function" ? await token() : token;
    const module = validation();
    for (let since = module.beginReading(Date.now()), more = true; more; ) {
      const query = since === undefined ? "" : `?since=${encodeURIComponent(since)}`;
      const headers = { authorization: `Bearer ${bearer}`, accept: "application/json" };
      const { text } = await ask(fetch, `${secure(issuer)}/api/v1/revocations${query}`, LIMITS.revocations, { headers });
      since = module.takeRevocations(text);
      more = since !== undefined;
    }
    failedAt = undefined;
  }, behind);

  /** @param {number} now */
  const renew = async (now) => {
    if (!flight.underWay() && elapsed(failedAt, now) < SHORT_PAUSE) return;
    await flight.join().catch(() => {});
  };
  return {
    renew,
    /** Behind an answer, from half of the bound on. @param {number} now */
    refresh(now) {
      if (validation().revocationsAge(now) > bound / 2) behind(renew(now));
    },
  };
}
