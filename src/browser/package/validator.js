// @ts-check
// Browsers, and whatever has no file of its own: the module is fetched from beside this file, on the first call.
import init from "./validation.js";
import { once } from "./once.js";
import { validatorAfter } from "./validating.js";

const load = once(() => init({ module_or_path: new URL("./validation_bg.wasm", import.meta.url) }));

export const { createValidator, refusalResponse } = validatorAfter(load);
