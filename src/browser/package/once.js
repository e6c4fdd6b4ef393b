// @ts-check
/**
 * Loads once; a failed load is tried again by the next call.
 *
 * @param {() => Promise<unknown>} load
 */
export const once = (load) => {
  /** @type {Promise<unknown> | undefined} */
  let loading;
  return () => {
    loading ??= load().catch((reason) => {
      loading = undefined;
      throw reason;
    });
    return loading;
  };
};
