// @ts-check

/**
 * @param {ArrayLike<number>} values in any order
 * @param {number} part 0.5 is the median
 */
export function quantile(values, part) {
  const sorted = Array.from(values).sort((a, b) => a - b);
  const at = (sorted.length - 1) * part;
  const [low, high] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return low + (high - low) * (at - Math.floor(at));
}

/** @param {ArrayLike<number>} values */
export function median(values) {
  return quantile(values, 0.5);
}
