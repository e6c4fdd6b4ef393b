// @ts-check
/**
 * The worker, with every operation on its bindings counted; also those of its objects. `GET /counted`
 * tells the counts since it was asked last; `GET /rows` does so with the rows of SQLite, as they are billed.
 */
import shim, * as classes from "../../src/shim.js";

/** @type {Record<string, number>} */
let counts = {};

/** @param {string} what */
function count(what) {
  counts[what] = (counts[what] ?? 0) + 1;
}

/**
 * What `methods` names is counted under the name it has there; all else passes.
 *
 * @param {any} target
 * @param {Record<string, string>} methods
 * @returns {any}
 */
function counted(target, methods) {
  return new Proxy(target, {
    get(object, property) {
      const value = object[property];
      if (typeof value !== "function" || property === "constructor") return value;
      return (/** @type {unknown[]} */ ...values) => {
        if (typeof property === "string" && methods[property]) count(methods[property]);
        return Reflect.apply(value, object, values);
      };
    },
  });
}

/**
 * A namespace whose stubs count their calls.
 *
 * @param {any} namespace
 * @param {string} what
 * @returns {any}
 */
function countedObjects(namespace, what) {
  return new Proxy(namespace, {
    get(object, property) {
      const value = object[property];
      if (typeof value !== "function" || property === "constructor") return value;
      const makesStub = property === "get" || property === "getByName";
      return (/** @type {unknown[]} */ ...values) => {
        const made = Reflect.apply(value, object, values);
        return makesStub ? counted(made, { call: what, fetch: what }) : made;
      };
    },
  });
}

/**
 * @param {any} env
 * @param {string} who
 */
function countedEnv(env, who) {
  return {
    ...env,
    KV: counted(env.KV, {
      get: `${who} kv get`,
      getWithMetadata: `${who} kv get`,
      put: `${who} kv put`,
      delete: `${who} kv delete`,
      list: `${who} kv list`,
    }),
    LEDGER: countedObjects(env.LEDGER, `${who} ledger`),
    DIRECTORY: countedObjects(env.DIRECTORY, `${who} directory`),
    FEED: countedObjects(env.FEED, `${who} feed`),
    COURIER: countedObjects(env.COURIER, `${who} courier`),
  };
}

let rows = { read: 0, written: 0 };

/** @type {SqlStorageCursor<any>[]} those whose rows are not counted yet */
let cursors = [];

/** @param {DurableObjectStorage} storage of any object: all of them have one prototype */
function countRows(storage) {
  const [sql, kept] = [Object.getPrototypeOf(storage.sql), Object.getPrototypeOf(storage)];
  if (Object.hasOwn(sql.exec, "counted")) return;
  const { exec } = sql;
  const { setAlarm } = kept;
  sql.exec = function (/** @type {unknown[]} */ ...values) {
    const cursor = Reflect.apply(exec, this, values);
    cursors.push(cursor);
    return cursor;
  };
  sql.exec.counted = true;
  kept.setAlarm = function (/** @type {unknown[]} */ ...values) {
    rows.written += 1;
    return Reflect.apply(setAlarm, this, values);
  };
}

/** @param {any} base */
function countingClass(base) {
  return class extends base {
    /**
     * @param {DurableObjectState} ctx
     * @param {any} env
     */
    constructor(ctx, env) {
      super(ctx, countedEnv(env, "object"));
      countRows(ctx.storage);
    }

    /** @param {string} call */
    async call(call) {
      const answer = await super.call(call);
      for (const { rowsRead, rowsWritten } of cursors) {
        rows.read += rowsRead;
        rows.written += rowsWritten;
      }
      cursors = [];
      return answer;
    }
  };
}

export class Ledger extends countingClass(classes.Ledger) {}
export class Directory extends countingClass(classes.Directory) {}
export class Feed extends countingClass(classes.Feed) {}
export class Courier extends countingClass(classes.Courier) {}

export class Edgemint extends classes.Edgemint {
  /**
   * @param {ExecutionContext} ctx
   * @param {any} env
   */
  constructor(ctx, env) {
    super(ctx, countedEnv(env, "worker"));
  }
}

export default {
  /**
   * @param {Request} request
   * @param {any} env
   * @param {ExecutionContext} ctx
   */
  fetch(request, env, ctx) {
    if (new URL(request.url).pathname === "/counted") {
      const told = counts;
      counts = {};
      return Response.json(told);
    }
    if (new URL(request.url).pathname === "/rows") {
      const told = rows;
      rows = { read: 0, written: 0 };
      return Response.json(told);
    }
    return shim.fetch(request, countedEnv(env, "worker"), ctx);
  },
};
