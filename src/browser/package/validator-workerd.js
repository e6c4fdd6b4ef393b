// @ts-check
// Workers: the module comes compiled, and is started while this file is read. What goes on behind an answer is told to the
// platform.
import * as platform from "cloudflare:workers";

import module from "./validation_bg.wasm";

import { initSync } from "./validation.js";
import { validatorAfter } from "./validating.js";

initSync({ module });

export const { createValidator, refusalResponse } = validatorAfter(
  () => {},
  (work) => platform.waitUntil?.(work),
);
