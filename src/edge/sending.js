// @ts-check
/** How the courier tells clients that a session has ended (OpenID Connect Back-Channel Logout). */
import { core, enter } from "../deciding.js";
import { sendLogout } from "./fetching.js";

/** Milliseconds after which an alarm leaves the rest to the next: it may take minutes, and not for ever. */
const LONGEST_SENDING = 60_000;
/** Clients that are told of ends at once: a request may have six connections open. */
const MOST_SENDERS = 6;

export class Sending {
  /**
   * @param {import("./sql.js").Sql} sql
   * @param {any} env
   * @param {import("./publishing.js").Transaction} transaction
   */
  constructor(sql, env, transaction) {
    this.sql = sql;
    this.env = env;
    this.transaction = transaction;
    /** While clients are told: takes up what came meanwhile. */
    this.more = () => {};
  }

  /** When the next client is to be told, if any is: milliseconds since 1970. */
  next() {
    return this.transaction(() => core().courier_next(this.sql));
  }

  /**
   * Tells clients of ends, each client of one at a time, so that who hangs keeps one sender busy and not all. The alarm
   * comes again for what is not due yet, or was not told in time.
   */
  async send() {
    const until = Date.now() + LONGEST_SENDING;
    /** @type {Map<string, Promise<void>>} by client */
    const underWay = new Map();
    /** @type {unknown} */
    let failed;
    const next = () => {
      /** @type {{ waiting: { notice: { client: string } } }[]} */
      const due = JSON.parse(this.transaction(() => core().courier_due(this.sql, BigInt(Date.now()))));
      return due.find(({ waiting }) => !underWay.has(waiting.notice.client));
    };
    this.more = () => {
      try {
        while (failed === undefined && Date.now() < until && underWay.size < MOST_SENDERS) {
          const one = next();
          if (one === undefined) {
            return;
          }
          const { client } = one.waiting.notice;
          const sending = this.sendOne(JSON.stringify(one)).catch((error) => void (failed = error));
          underWay.set(client, sending.then(() => void underWay.delete(client)).then(this.more));
        }
      } catch (error) {
        failed = error;
      }
    };
    this.more();
    while (underWay.size > 0) {
      await Promise.race(underWay.values());
    }
    this.more = () => {};
    if (failed !== undefined) {
      throw failed;
    }
  }

  /** @param {string} due */
  async sendOne(due) {
    let given_up = JSON.parse(due).waiting.failed === null ? undefined : due;
    if (given_up === undefined) {
      const prepared = await enter((core) => core.courier_prepare(this.env, Date.now(), due));
      const [uri, token] = prepared.split("\n");
      const outcome = token === undefined ? uri : String(await sendLogout(uri, token));
      given_up = this.transaction(() => core().courier_sent(this.sql, BigInt(Date.now()), due, outcome));
    }
    if (given_up !== undefined) {
      const line = given_up;
      const { notice, failed } = JSON.parse(line).waiting;
      console.error(JSON.stringify({ level: "error", event: "logout_undelivered", client: notice.client, reason: failed }));
      const noted = await enter((core) => core.courier_note(this.env, Date.now(), line));
      this.transaction(() => core().courier_noted(this.sql, BigInt(Date.now()), line, noted));
    }
  }
}
