// @ts-check
// The calls, each after the module is there.
import * as edgemint from "./edgemint.js";

/**
 * @template {(...given: any[]) => Promise<any>} Call
 * @param {() => Promise<unknown> | void} load
 * @param {Call} call
 * @returns {Call}
 */
const after = (load, call) =>
  /** @type {Call} */ (
    async (...given) => {
      await load();
      return call(...given);
    }
  );

/** @param {() => Promise<unknown> | void} load */
export const callsAfter = (load) => ({
  pkcePair: after(load, edgemint.pkcePair),
  authorizationRequest: after(load, edgemint.authorizationRequest),
  authorizationResponse: after(load, edgemint.authorizationResponse),
  verifyIdToken: after(load, edgemint.verifyIdToken),
  verifyJwt: after(load, edgemint.verifyJwt),
  decodeUnverified: after(load, edgemint.decodeUnverified),
});
