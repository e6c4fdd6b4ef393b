// @ts-check
/**
 * The Durable Objects. Rust decides, synchronously and inside one `transactionSync`; these classes
 * keep `ctx` and `env`, tell others what was decided before it is acknowledged, and hold nothing
 * of Rust between two calls.
 */
import { DurableObject } from "cloudflare:workers";
import { core, trapped } from "./deciding.js";
import { fetchKeys } from "./edge/fetching.js";
import { Publishing } from "./edge/publishing.js";
import { Sending } from "./edge/sending.js";
import { Sql } from "./edge/sql.js";
import { within } from "./edge/within.js";

/** Until what a call could not tell is told again: long enough for the call itself to succeed. */
const RETRY = 5_000;
/** The longest pause between two attempts while a dependency is away. */
const LONGEST_RETRY = 60_000;
/** How long another object may take: less than who waits for this one waits (`LONGEST_WAIT`). */
const LONGEST_TELLING = 3_000;
/** Between two sweeps. */
const SWEEP = 3_600_000;
/** Subjects are spread over so many shards unless `LEDGER_SHARDS` says more. */
const SHARDS = 16;
/** Until the alarm goes off that need not wait. */
const SOON = 10;
/** A role that changes is told to each of them before that is acknowledged. */
const MOST_SHARDS = 256;

/**
 * What tells the kinds apart.
 *
 * @typedef {object} Kind
 * @property {(sql: Sql, env: any) => void} open makes the tables
 * @property {(sql: Sql, call: string, env: any) => Outcome} apply does one verb
 * @property {(sql: Sql, env: any) => boolean} sweep forgets what has expired; whether there is more
 * @property {(sql: Sql, call: string, document: string | undefined) => void} [learn] takes what was fetched for a call
 * @property {boolean} tells whether it has an outbox
 * @property {boolean} [posts] whether it tells the courier whom to tell of ends
 * @property {boolean} [sends] whether it is the one who tells them
 * @property {boolean} publishes whether it writes to KV
 *
 * @typedef {{ answer: string, owes: bigint, posts?: boolean, publishes: boolean, undone?: boolean, fetch?: string }} Outcome
 * `fetch`: what has to be fetched before there is an answer
 */

/** Thrown to roll a transaction back whose answer is a refusal. */
class Undone extends Error {
  /** @param {Outcome} outcome */
  constructor(outcome) {
    super("nothing of it may stay");
    this.outcome = outcome;
  }
}

/** One object: its database, its alarm, and what it still has to tell. */
class Store {
  /**
   * @param {Kind} kind
   * @param {DurableObjectState} ctx
   * @param {any} env
   */
  constructor(kind, ctx, env) {
    this.kind = kind;
    this.ctx = ctx;
    this.env = env;
    this.sql = new Sql(ctx.storage.sql);
    /** When the alarm is due; `Infinity` when there is none. */
    this.due = Infinity;
    this.failures = 0;
    /** @type {Promise<void> | undefined} while the outbox is told */
    this.draining = undefined;
    /** @type {Promise<void> | undefined} while clients are told */
    this.posting = undefined;
    /** @type {import("./edge/publishing.js").Transaction} */
    const transaction = (body) => this.transaction(body);
    this.publishing = kind.publishes ? new Publishing(this.sql, env, transaction) : undefined;
    this.sending = kind.sends ? new Sending(this.sql, env, transaction) : undefined;
    /** @type {Map<string, Promise<void>>} what is being fetched */
    this.fetching = new Map();
    ctx.blockConcurrencyWhile(async () => {
      this.transaction(() => kind.open(this.sql, env));
      this.due = (await ctx.storage.getAlarm()) ?? Infinity;
      // The directory may have found that another root seals, and all of KV is to be written anew.
      this.wake(kind.publishes ? RETRY : SWEEP);
      this.wakeToSend();
    });
  }

  /**
   * Carries out one call. What it answers is durable: the platform withholds the answer until
   * the transaction is on disk, and others have been told what they must know.
   *
   * @param {string} call a `Call`, as JSON
   * @returns {Promise<string>} its answer; `{"refused": …}` when it is not understood;
   *   `{"unavailable": …}` when asking again, under the same request id, may help
   */
  async call(call) {
    try {
      let outcome = this.decide(call);
      while (outcome.fetch !== undefined) {
        await this.fetch(outcome.fetch, call);
        outcome = this.decide(call);
      }
      if (outcome.owes > 0n || outcome.posts || outcome.publishes) {
        // No await since the transaction: alarm and decision are committed together.
        this.wake(RETRY);
      }
      if (outcome.publishes && this.publishing !== undefined) {
        this.ctx.waitUntil(this.publishing.publish().catch(report));
      }
      this.wakeToSend();
      this.sending?.more();
      if (outcome.posts) {
        // Nobody who signs out waits for the courier, or is told that they have not because it is away.
        this.ctx.waitUntil(this.post().catch(report));
      }
      await this.settle(outcome.owes);
      return outcome.answer;
    } catch (error) {
      if (typeof error === "string") {
        return JSON.stringify({ refused: error });
      }
      if (error instanceof WebAssembly.RuntimeError) {
        throw error;
      }
      report(error);
      return JSON.stringify({ unavailable: String(error) });
    }
  }

  /**
   * Fetches what a call needs, after which it is done anew. Nothing is held open meanwhile: what came is learned in a
   * transaction of its own.
   *
   * @param {string} url
   * @param {string} call
   */
  async fetch(url, call) {
    let fetching = this.fetching.get(url);
    if (fetching === undefined) {
      // Whoever asks meanwhile waits for the same answer, which is learned once.
      fetching = fetchKeys(url)
        .then((document) => this.transaction(() => this.kind.learn?.(this.sql, call, document)))
        .finally(() => this.fetching.delete(url));
      this.fetching.set(url, fetching);
    }
    await fetching;
  }

  /**
   * Does one verb in one transaction, of which nothing stays if it comes to a refusal.
   *
   * @param {string} call
   * @returns {Outcome}
   */
  decide(call) {
    try {
      return this.transaction(() => {
        const outcome = this.kind.apply(this.sql, call, this.env);
        if (outcome.undone) {
          throw new Undone(outcome);
        }
        return outcome;
      });
    } catch (error) {
      if (error instanceof Undone) {
        return error.outcome;
      }
      throw error;
    }
  }

  /** Tells what a crash or an outage left untold, and forgets what has expired. */
  async alarm() {
    this.due = Infinity;
    let more = false;
    let failed = false;
    const tasks = [
      () => this.settle(this.transaction(() => this.newest())),
      () => this.publishing?.publish(),
      () => this.post(),
      () => this.sending?.send(),
      () => (more = this.transaction(() => this.kind.sweep(this.sql, this.env))),
    ];
    // One that fails must not keep the others from their work: the feed may be away for hours.
    for (const task of tasks) {
      try {
        await task();
      } catch (error) {
        report(error);
        failed = true;
      }
    }
    // Nothing is thrown: the platform would give up after six attempts, and what was decided must
    // be told in the end.
    this.failures = failed ? this.failures + 1 : 0;
    const pause = Math.min(RETRY * 2 ** (this.failures - 1), LONGEST_RETRY);
    this.wake(failed ? pause : more ? RETRY : SWEEP);
    if (!failed) {
      // Else not at once, whatever is due: it would fail again.
      this.wakeToSend(1_000);
    }
  }

  /** The newest number that waits in the outbox; 0 when there is none. */
  newest() {
    return this.kind.tells ? core().outbox_newest(this.sql) : 0n;
  }

  /**
   * Runs synchronous Rust in one transaction, which rolls back if it throws or traps.
   *
   * @template T
   * @param {() => T} body
   * @returns {T}
   */
  transaction(body) {
    try {
      return this.ctx.storage.transactionSync(body);
    } catch (error) {
      trapped(error);
      throw error;
    }
  }

  /**
   * Sees to it that the alarm goes off within `pause`.
   *
   * @param {number} pause milliseconds
   */
  wake(pause) {
    const due = Date.now() + pause;
    if (due < this.due) {
      this.due = due;
      this.ctx.storage.setAlarm(due);
    }
  }

  /**
   * Waits until everything up to this number of the outbox was taken.
   *
   * @param {bigint} through
   */
  async settle(through) {
    if (through === 0n) {
      return;
    }
    // A drain that was under way may have read the table before our rows were in it.
    while (this.transaction(() => core().outbox_owes(this.sql, through))) {
      this.draining ??= this.drain().finally(() => (this.draining = undefined));
      await this.draining;
    }
  }

  /** Sends what is in the outbox, in order to each, and forgets what was taken. */
  async drain() {
    const source = this.ctx.id.toString();
    const now = BigInt(Date.now());
    const deliveries = this.transaction(() => core().outbox_deliveries(this.sql, now, source));
    /** @type {Map<string, { through: number, call: string }[]>} */
    const queues = new Map();
    for (const { to, through, call } of JSON.parse(deliveries)) {
      const queue = queues.get(to) ?? [];
      queue.push({ through, call });
      queues.set(to, queue);
    }
    const sent = await Promise.allSettled(
      Array.from(queues, ([to, queue]) => this.deliver(to, queue)),
    );
    for (const result of sent) {
      if (result.status === "rejected") {
        throw result.reason;
      }
    }
  }

  /**
   * @param {string} to `feed` or the name of a shard
   * @param {{ through: number, call: string }[]} queue
   */
  async deliver(to, queue) {
    const { FEED, LEDGER } = this.env;
    const object = (to === "feed" ? FEED : LEDGER).getByName(to);
    for (const { through, call } of queue) {
      const { refused, unavailable } = JSON.parse(await within(object.call(call), LONGEST_TELLING));
      if (refused !== undefined || unavailable !== undefined) {
        throw new Error(`${to} did not take a message: ${refused ?? unavailable}`);
      }
      this.transaction(() => core().outbox_delivered(this.sql, to, BigInt(through)));
    }
  }

  /** Tells the courier whom to tell of ends. */
  async post() {
    if (this.kind.posts) {
      // One that is under way may have read the table before our rows were in it.
      await this.posting;
      this.posting ??= this.postAll().finally(() => (this.posting = undefined));
      await this.posting;
    }
  }

  async postAll() {
    const source = this.ctx.id.toString();
    for (;;) {
      const next = this.transaction(() => core().notices(this.sql, BigInt(Date.now()), source));
      if (next === undefined) {
        return;
      }
      const line = next.indexOf("\n");
      const courier = this.env.COURIER.getByName("courier");
      const { refused, unavailable } = JSON.parse(await within(courier.call(next.slice(line + 1)), LONGEST_TELLING));
      if (refused !== undefined || unavailable !== undefined) {
        throw new Error(`courier did not take a message: ${refused ?? unavailable}`);
      }
      this.transaction(() => core().noticed(this.sql, BigInt(next.slice(0, line))));
    }
  }

  /**
   * Sees to it that the alarm goes off when the next client is to be told.
   *
   * @param {number} [later] milliseconds: what is due is known by the second, and an alarm that found nothing to do in
   *   it waits for its end
   */
  wakeToSend(later = 0) {
    const next = this.sending?.next();
    if (next !== undefined) {
      // Never for now: an alarm that is set for the instant of the one that runs is taken for that one.
      this.wake(Math.max(SOON, next + later - Date.now()));
    }
  }
}

/** @type {Kind} */
const LEDGER = {
  open: (sql) => core().ledger_open(sql),
  apply: (sql, call) => taken(core().ledger_call(sql, BigInt(Date.now()), call)),
  sweep: (sql, env) => core().ledger_sweep(sql, env, BigInt(Date.now())),
  tells: true,
  posts: true,
  publishes: false,
};

/** @type {Kind} */
const DIRECTORY = {
  open: (sql, env) => core().directory_open(sql, env, shards(env)),
  apply: (sql, call) => taken(core().directory_call(sql, BigInt(Date.now()), call)),
  sweep: (sql, env) => core().directory_sweep(sql, env, BigInt(Date.now())),
  tells: true,
  publishes: true,
};

/**
 * Over how many shards new subjects are spread. They stay where they are for good, so a slip must not count.
 *
 * @param {any} env
 */
function shards(env) {
  const count = Number(env.LEDGER_SHARDS || SHARDS);
  if (!Number.isInteger(count) || count < 1 || count > MOST_SHARDS) {
    throw new Error(`LEDGER_SHARDS has to be a number from 1 to ${MOST_SHARDS}`);
  }
  return count;
}

/** @type {Kind} */
const FEED = {
  open: (sql) => core().feed_open(sql, crypto.randomUUID()),
  apply: (sql, call) => ({ answer: core().feed_call(sql, call), owes: 0n, publishes: false }),
  sweep: (sql) => core().feed_sweep(sql, BigInt(Date.now())),
  tells: false,
  publishes: false,
};

/** @type {Kind} */
const COURIER = {
  open: (sql) => core().courier_open(sql),
  apply: (sql, call, env) => {
    const answer = core().courier_call(sql, env, call);
    const fetch = answer.startsWith("fetch ") ? answer.slice(6) : undefined;
    return { answer, owes: 0n, publishes: false, fetch };
  },
  learn: (sql, call, document) => core().courier_fetched(sql, call, document),
  sweep: (sql) => core().courier_sweep(sql, BigInt(Date.now())),
  tells: false,
  sends: true,
  publishes: false,
};

/**
 * A class of objects that offers `call` and nothing else to who has its binding.
 *
 * @param {Kind} kind
 */
function objectOf(kind) {
  return class extends DurableObject {
    #store;

    /**
     * @param {DurableObjectState} ctx
     * @param {any} env
     */
    constructor(ctx, env) {
      super(ctx, env);
      this.#store = new Store(kind, ctx, env);
    }

    /** @param {string} call */
    call(call) {
      return this.#store.call(call);
    }

    alarm() {
      return this.#store.alarm();
    }
  };
}

/** A shard of the ledger: `shard-0` and up. */
export class Ledger extends objectOf(LEDGER) {}

/** The directory. There is one: `directory`. */
export class Directory extends objectOf(DIRECTORY) {}

/** The feed of revocations. There is one: `feed`. */
export class Feed extends objectOf(FEED) {}

/** The courier, who alone sends requests to others. There is one: `courier`. */
export class Courier extends objectOf(COURIER) {}

/**
 * Copies what Rust says, and gives Rust's own back.
 *
 * @param {Outcome & { free(): void }} outcome
 * @returns {Outcome}
 */
function taken(outcome) {
  const { answer, owes, posts, publishes, undone } = outcome;
  outcome.free();
  return { answer, owes, posts, publishes, undone };
}

/** @param {unknown} error */
function report(error) {
  console.error(JSON.stringify({ level: "error", event: "object", reason: String(error) }));
}
