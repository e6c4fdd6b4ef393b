// @ts-check
/** A write that took as long as this will not come any more: connections do not live that long idle. */
const LAST_CHANCE = 60_000;

/**
 * Writes that are under way, or that nobody waits for any longer and that may still land. A newer one of the same key
 * waits for them, or an old copy would follow it; but not for ever, or one that never ends would keep the key for good.
 */
export class Unfinished {
  /** @type {Map<string, { began: number }>} */
  #writes = new Map();

  /**
   * @param {string} key
   * @param {number} now
   * @param {PromiseLike<unknown>} write
   */
  begin(key, now, write) {
    const mine = { began: now };
    this.#writes.set(key, mine);
    const end = () => {
      if (this.#writes.get(key) === mine) {
        this.#writes.delete(key);
      }
    };
    write.then(end, end);
  }

  /**
   * @param {string} key
   * @param {number} now
   * @returns {boolean} whether an earlier write of the key may still land
   */
  blocks(key, now) {
    const write = this.#writes.get(key);
    return write !== undefined && now < write.began + LAST_CHANCE;
  }
}
