// @ts-check
// Node: the module is read from beside this file, on the first call.
import { readFile } from "node:fs/promises";

import init from "./edgemint.js";
import { callsAfter } from "./calls.js";
import { once } from "./once.js";

const load = once(async () =>
  init({ module_or_path: await readFile(new URL("./edgemint_bg.wasm", import.meta.url)) }),
);

export const {
  pkcePair,
  authorizationRequest,
  authorizationResponse,
  verifyIdToken,
  verifyJwt,
  decodeUnverified,
} = callsAfter(load);
