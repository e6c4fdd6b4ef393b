// @ts-check
/**
 * Waits for somebody else, but not for ever. The core and the objects wait for nothing without it.
 *
 * What was asked may have been done, or may be done later: only the answer is not waited for any
 * longer. That is the fault that request ids are for.
 *
 * @template T
 * @param {PromiseLike<T>} promise
 * @param {number} limit milliseconds
 * @returns {Promise<T>} rejected with an error that is `late` when the limit is over first
 */
export function within(promise, limit) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const late = /** @type {Promise<never>} */ (
    new Promise((_, reject) => {
      const tell = () => reject(Object.assign(new Error(`no answer within ${limit} ms`), { late: true }));
      timer = setTimeout(tell, limit);
    })
  );
  return Promise.race([promise, late]).finally(() => clearTimeout(timer ?? null));
}
