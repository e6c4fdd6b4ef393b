// `npm run deploy`: builds and publishes; what follows `--` goes to wrangler, so `-- --dry-run` only bundles.
// @ts-check
import { join } from "node:path";
import { build } from "./lib/modules.mjs";
import { root, run } from "./lib/steps.mjs";

/** @param {string[]} args */
export default async function main(args) {
  await build();
  await run(process.execPath, [join(root, "node_modules/wrangler/bin/wrangler.js"), "deploy", ...args], { show: true });
}
