// `npm run build`: the worker's module and the browser's.
// @ts-check
import { build } from "./lib/modules.mjs";

export default async function main() {
  const built = await build();
  if (built.length === 0) console.log("nothing changed");
}
