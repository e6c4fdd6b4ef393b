// @ts-check
// Workers: the module comes compiled, and is started while this file is read. Nothing is awaited,
// because a Worker must not wait for what another request began.
import module from "./edgemint_bg.wasm";

import { initSync } from "./edgemint.js";
import { callsAfter } from "./calls.js";

initSync({ module });

export const {
  pkcePair,
  authorizationRequest,
  authorizationResponse,
  verifyIdToken,
  verifyJwt,
  decodeUnverified,
} = callsAfter(() => {});
