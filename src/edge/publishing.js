// @ts-check
/** What the directory publishes in KV. */
import { core } from "../deciding.js";
import { Unfinished } from "./unfinished.js";
import { within } from "./within.js";

/** How long KV may take; nobody waits for it, but the next write of the same key does. */
const LONGEST_WRITE = 10_000;
/** KV takes one write per second and key. */
const KV_PAUSE = 1_100;

/** @typedef {<T>(body: () => T) => T} Transaction runs synchronous Rust in one */

export class Publishing {
  /**
   * @param {import("./sql.js").Sql} sql
   * @param {any} env
   * @param {Transaction} transaction
   */
  constructor(sql, env, transaction) {
    this.sql = sql;
    this.env = env;
    this.transaction = transaction;
    /** @type {Map<string, number>} when each key was written last */
    this.written = new Map();
    this.unfinished = new Unfinished();
    /** @type {Promise<void> | undefined} */
    this.underWay = undefined;
  }

  /** Brings KV up to date. Who asks meanwhile waits for the same. */
  async publish() {
    this.underWay ??= this.publishAll().finally(() => (this.underWay = undefined));
    await this.underWay;
  }

  /** One after the other, so that an older snapshot does not follow a newer one. */
  async publishAll() {
    for (;;) {
      const text = this.transaction(() => core().directory_publications(this.sql, this.env));
      /** @type {{ key: string, version: number, value: string | null }[]} */
      const waiting = JSON.parse(text);
      const publications = waiting.filter(({ key }) => !this.unfinished.blocks(key, Date.now()));
      if (waiting.length > 0 && publications.length === 0) {
        throw new Error("a write to KV that was given up may still land");
      }
      for (const { key, version, value } of publications) {
        const pause = (this.written.get(key) ?? 0) + KV_PAUSE - Date.now();
        if (pause > 0) {
          await scheduler.wait(pause);
        }
        this.written.set(key, Date.now());
        const write = value === null ? this.env.KV.delete(key) : this.env.KV.put(key, value, { metadata: { version } });
        this.unfinished.begin(key, Date.now(), write);
        await within(write, LONGEST_WRITE);
        this.transaction(() => core().directory_published(this.sql, key, BigInt(version)));
      }
      for (const [key, at] of this.written) {
        if (at + KV_PAUSE < Date.now()) {
          this.written.delete(key);
        }
      }
      if (publications.length === 0) {
        return;
      }
    }
  }
}
