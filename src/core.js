// @ts-check
/** The compiled core: what answers requests of the protocol. */
import wasm from "../build/edge/edgemint_bg.wasm";
import * as exports from "../build/edge/edgemint.js";
import { watched } from "./watched.js";

exports.initSync({ module: wasm });

export const { core, enter } = watched(exports, "edge");

/** Takes note that the other module changed something. */
export function told() {
  enter((core) => core.told());
}
