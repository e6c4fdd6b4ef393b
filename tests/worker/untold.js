// @ts-check
/**
 * The worker, where nobody is told what an object decided while the binding `UNTOLD` is there: the
 * feed takes no line, no shard a subject, KV no copy. While `UNSENT` is there, no client is told of the end of
 * a session: the courier takes no notice (`courier`), or sends none (`clients`).
 */
import * as real from "../../src/shim.js";

export { Edgemint, default } from "../../src/shim.js";

export class Courier extends real.Courier {
  /** @param {string} call */
  call(call) {
    return this.env.UNSENT === "courier" && call.includes('"send_logouts"') ? untold() : super.call(call);
  }

  // Begun and never done: for the platform it is still to do.
  alarm() {
    return this.env.UNSENT === "clients" ? scheduler.wait(600_000) : super.alarm();
  }
}

export class Feed extends real.Feed {
  /** @param {string} call */
  call(call) {
    return this.env.UNTOLD && call.includes('"append"') ? untold() : super.call(call);
  }
}

export class Ledger extends real.Ledger {
  /** @param {string} call */
  call(call) {
    return this.env.UNTOLD && call.includes('"put_subject"') ? untold() : super.call(call);
  }
}

export class Directory extends real.Directory {
  /**
   * @param {DurableObjectState} ctx
   * @param {any} env
   */
  constructor(ctx, env) {
    super(ctx, env.UNTOLD ? { ...env, KV: { put: untold, delete: untold } } : env);
  }
}

async function untold() {
  throw new Error("nobody is told");
}
