// @ts-check
// Node: the module is read from beside this file, on the first call.
import { readFile } from "node:fs/promises";

import init from "./validation.js";
import { once } from "./once.js";
import { validatorAfter } from "./validating.js";

const load = once(async () => init({ module_or_path: await readFile(new URL("./validation_bg.wasm", import.meta.url)) }));

export const { createValidator, refusalResponse } = validatorAfter(load);
