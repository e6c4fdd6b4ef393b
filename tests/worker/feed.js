// @ts-check

/**
 * Follows the feed of some objects.
 *
 * @param {{ call(name: string, call: object): Promise<any> }} objects
 */
export async function follow(objects) {
  const ask = async (/** @type {string} */ feed, /** @type {number} */ cursor) => {
    const at = { request: "reader", now: 0 };
    const { since } = await objects.call("feed", { at, verb: { since: { feed, cursor } } });
    return since;
  };
  const { feed: name, head } = await ask("", 0);
  let cursor = head;
  return {
    name,
    /** What is new since the last time. */
    async news() {
      const answer = await ask(name, cursor);
      cursor = answer.head;
      return answer.entries;
    },
  };
}
