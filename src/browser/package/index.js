// @ts-check
// Browsers: the module is fetched from beside this file, on the first call.
import init from "./edgemint.js";
import { callsAfter } from "./calls.js";
import { once } from "./once.js";

const load = once(() => init({ module_or_path: new URL("./edgemint_bg.wasm", import.meta.url) }));

export const {
  pkcePair,
  authorizationRequest,
  authorizationResponse,
  verifyIdToken,
  verifyJwt,
  decodeUnverified,
} = callsAfter(load);
