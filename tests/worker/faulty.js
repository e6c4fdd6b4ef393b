// @ts-check
/**
 * The worker, with its bindings in our hands; also those of its objects. `POST /faults` says what is
 * wrong from now on (nothing: `{}`) and is
 * told what was waited for since the last time, `POST /cold` makes the isolate forget every copy it has, `POST /fire`
 * has every object tell what it owes, as its alarm would, and `/kv?key=` tells which version KV has.
 *
 * @typedef {"unreachable" | "overloaded" | "silent" | "held" | "done-and-silent" | "answer-lost"} Away
 *   refuses; refuses and is not to be asked again; never answers, and did nothing; the same, and who waits is
 *   not told that it was long enough before something else is wrong; never answers, though it is done; fails once it is done, and may be asked again
 *
 * @typedef {object} Faults
 * @property {"500" | "silent" | "stale" | "missed"} [kv] `stale`: what was read once is answered for a
 *   minute; `missed`: that, and everything was read before it was there
 * @property {number} [kvLimit] a key takes one write in so many milliseconds
 * @property {Away} [ledger]
 * @property {string} [shard] the one shard that `ledger` is about; else all are
 * @property {Away} [directory]
 * @property {Away} [feed]
 * @property {Away} [courier]
 * @property {"worker" | "object"} [only] whose bindings are broken; else both
 * @property {number} [ahead] milliseconds that the clock is ahead
 */
import { __wbg_reset_state as forgetProtocol } from "../../build/edge/edgemint.js";
import { __wbg_reset_state as forgetManagement } from "../../build/objects/edgemint.js";
import shim, * as classes from "../../src/shim.js";

/** What KV promises: a key may be read as it was so long ago. */
const KV_STALE = 60_000;

/** @type {Faults} */
let faults = {};

const clock = Date.now.bind(Date);
Date.now = () => clock() + (faults.ahead ?? 0);

// Who waits for a call that is not answered sets a timer in the same breath. That one need not take
// its time: it goes off when the call was done, if ever it is. All others take theirs.
const timer = globalThis.setTimeout;
/** @type {Promise<unknown> | undefined} */
let unanswered;
/** @type {number[]} how long each of them was ready to wait */
let waits = [];
globalThis.setTimeout = /** @type {any} */ (
  (/** @type {() => void} */ callback, /** @type {number} */ limit) => {
    const over = unanswered;
    unanswered = undefined;
    if (over === undefined) return timer(callback, limit);
    waits.push(limit);
    over.then(() => timer(callback, 2));
    return 0;
  }
);

/**
 * @param {Promise<unknown>} [done]
 * @returns {Promise<any>}
 */
function silence(done = Promise.resolve()) {
  unanswered = done;
  return new Promise(() => {});
}

/** @type {((error: Error) => void)[]} writes that hang: their connections break when something else is wrong */
const hanging = [];

/** @type {(() => void)[]} calls that are held, by whom they are let go */
const held = [];

/** @returns {Promise<any>} */
function hang() {
  silence();
  return new Promise((_, reject) => hanging.push(reject));
}

/** @type {Map<string, { at: number, value: unknown }>} */
const reads = new Map();
/** @type {Map<string, number>} */
const writes = new Map();
let refused = 0;

/**
 * @param {any} kv
 * @param {"worker" | "object"} whose
 */
function faultyKv(kv, whose) {
  const broken = () => (faults.only === undefined || faults.only === whose ? faults.kv : undefined);
  /** @param {() => Promise<unknown>} work */
  async function carry(work) {
    if (broken() === "500") throw new Error("KV failed: 500 Internal Server Error");
    return work();
  }
  /** @param {string} key @param {() => Promise<unknown>} work */
  async function write(key, work) {
    const now = clock();
    if (now - (writes.get(key) ?? 0) < (faults.kvLimit ?? 0)) {
      refused += 1;
      throw new Error("KV PUT failed: 429 Too Many Requests");
    }
    writes.set(key, now);
    return carry(work);
  }
  return {
    /** @param {string} key */
    get(key) {
      const mode = broken();
      if (mode === "silent") return silence();
      if (mode === "missed") return Promise.resolve(null);
      if (mode !== "stale") return carry(() => kv.get(key));
      const known = reads.get(key);
      if (known && clock() - known.at < KV_STALE) return Promise.resolve(known.value);
      return carry(async () => {
        const value = await kv.get(key);
        reads.set(key, { at: clock(), value });
        return value;
      });
    },
    /** @param {string} key @param {string} value @param {any} [options] */
    put: (key, value, options) => (broken() === "silent" ? hang() : write(key, () => kv.put(key, value, options))),
    /** @param {string} key */
    delete: (key) => (broken() === "silent" ? hang() : write(key, () => kv.delete(key))),
  };
}

/**
 * @param {any} namespace
 * @param {"ledger" | "directory" | "feed"} kind
 * @param {"worker" | "object"} whose
 * @returns {any}
 */
function faultyObjects(namespace, kind, whose) {
  /** @param {string} name */
  const away = (name) => {
    if (faults.only !== undefined && faults.only !== whose) return undefined;
    if (kind === "ledger" && faults.shard !== undefined && faults.shard !== name) return undefined;
    return faults[kind];
  };
  /** @param {string} name */
  const getByName = (name) => {
    const stub = namespace.getByName(name);
    return {
      /** @param {string} call */
      call(call) {
        switch (away(name)) {
          case "unreachable":
            return Promise.reject(Object.assign(new Error("Network connection lost."), { retryable: true }));
          case "overloaded":
            return Promise.reject(Object.assign(new Error("Durable Object is overloaded."), { overloaded: true, retryable: true }));
          case "silent":
            return silence();
          case "held":
            return silence(new Promise((go) => held.push(() => go(undefined))));
          case "done-and-silent":
            return silence(stub.call(call));
          case "answer-lost":
            // Once: the same call, asked again, is answered.
            faults[kind] = undefined;
            return stub.call(call).then(() => {
              throw Object.assign(new Error("Network connection lost."), { retryable: true });
            });
        }
        return stub.call(call);
      },
    };
  };
  return new Proxy(namespace, {
    get(object, property) {
      const value = object[property];
      if (typeof value !== "function" || property === "constructor") return value;
      return property === "getByName" ? getByName : value.bind(object);
    },
  });
}

/**
 * @param {any} env
 * @param {"worker" | "object"} whose
 */
function faultyEnv(env, whose) {
  return {
    ...env,
    KV: faultyKv(env.KV, whose),
    LEDGER: faultyObjects(env.LEDGER, "ledger", whose),
    DIRECTORY: faultyObjects(env.DIRECTORY, "directory", whose),
    FEED: faultyObjects(env.FEED, "feed", whose),
    COURIER: faultyObjects(env.COURIER, "courier", whose),
  };
}

/** @param {any} base */
function faultyClass(base) {
  return class extends base {
    /**
     * @param {DurableObjectState} ctx
     * @param {any} env
     */
    constructor(ctx, env) {
      super(ctx, faultyEnv(env, "object"));
    }

    /** What the alarm does, now. */
    fire() {
      return this.alarm();
    }
  };
}

export class Ledger extends faultyClass(classes.Ledger) {}
export class Directory extends faultyClass(classes.Directory) {}
export class Feed extends faultyClass(classes.Feed) {}
export class Courier extends faultyClass(classes.Courier) {}

export class Edgemint extends classes.Edgemint {
  /**
   * @param {ExecutionContext} ctx
   * @param {any} env
   */
  constructor(ctx, env) {
    super(ctx, faultyEnv(env, "worker"));
  }
}

export default {
  /**
   * @param {Request} request
   * @param {any} env
   * @param {ExecutionContext} ctx
   */
  async fetch(request, env, ctx) {
    switch (new URL(request.url).pathname) {
      case "/faults": {
        const told = { refused, waits };
        faults = /** @type {Faults} */ (await request.json());
        reads.clear();
        held.splice(0).forEach((go) => go());
        hanging.splice(0).forEach((end) => end(new Error("Network connection lost.")));
        waits = [];
        refused = 0;
        return Response.json(told);
      }
      case "/cold":
        forgetProtocol();
        forgetManagement();
        return new Response();
      case "/fire":
        for (const name of ["directory", ...Array.from({ length: 16 }, (_, shard) => `shard-${shard}`)]) {
          await (name === "directory" ? env.DIRECTORY : env.LEDGER).getByName(name).fire();
        }
        return new Response();
      case "/kv":
        return Response.json((await env.KV.getWithMetadata(new URL(request.url).searchParams.get("key"))).metadata?.version ?? null);
    }
    return shim.fetch(request, faultyEnv(env, "worker"), ctx);
  },
};
