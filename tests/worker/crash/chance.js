// @ts-check
/**
 * Random choices that a seed repeats (xorshift, Marsaglia 2003). What the platform interleaves is
 * not repeated by it.
 *
 * @param {number} seed
 */
export function chanceOf(seed) {
  let state = (seed ^ 0x9e3779b9) >>> 0 || 1;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  return {
    /** From 0 to below 1. */
    next,
    /** @param {number} probability */
    happens: (probability) => next() < probability,
    /** @template T @param {readonly T[]} list @returns {T} */
    one: (list) => list[Math.floor(next() * list.length)],
    /**
     * Some of a list, each at most once.
     *
     * @template T
     * @param {readonly T[]} list
     * @param {number} most
     */
    some(list, most) {
      const left = [...list];
      const taken = [];
      while (left.length > 0 && taken.length < most) taken.push(...left.splice(Math.floor(next() * left.length), 1));
      return taken;
    },
  };
}

/** @typedef {ReturnType<typeof chanceOf>} Chance */
