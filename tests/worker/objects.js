// @ts-check
/** The Durable Objects in workerd, with nothing in front of them. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Miniflare } from "miniflare";

const root = fileURLToPath(new URL("../..", import.meta.url));

const ENTRY = `
  export { Ledger, Directory, Feed } from "../../src/objects.js";
  export default { fetch: () => new Response("only objects here") };
`;

/**
 * Starts workerd.
 *
 * @param {{ persist?: string, entry?: string, core?: string, bindings?: object }} [options]
 *   `persist`: a directory that outlives the process; `entry` and `core`: text to take the place
 *   of the entry module and of `src/core.js` (the real one is `./real-core.js` then)
 */
export async function startObjects({ persist, entry = ENTRY, core, bindings = {} } = {}) {
  const text = (/** @type {string} */ path) => readFileSync(`${root}${path}`, "utf8");
  const object = (/** @type {string} */ className) => ({ className, useSQLite: true });
  const miniflare = new Miniflare({
    compatibilityDate: "2026-04-01",
    modulesRoot: root,
    modules: [
      { type: "ESModule", path: `${root}tests/worker/entry.js`, contents: entry },
      { type: "ESModule", path: `${root}src/objects.js` },
      { type: "ESModule", path: `${root}src/core.js`, contents: core ?? text("src/core.js") },
      { type: "ESModule", path: `${root}src/real-core.js`, contents: text("src/core.js") },
      { type: "ESModule", path: `${root}build/edge/edgemint.js` },
      { type: "CompiledWasm", path: `${root}build/edge/edgemint_bg.wasm` },
    ],
    durableObjects: {
      LEDGER: object("Ledger"),
      DIRECTORY: object("Directory"),
      FEED: object("Feed"),
    },
    kvNamespaces: ["KV"],
    bindings,
    ...(persist === undefined ? {} : { defaultPersistRoot: persist }),
  });
  await miniflare.ready;
  /** @type {Record<string, any>} */
  const stubs = {};

  /** @param {string} name `directory`, `feed` or `shard-N` */
  async function object_(name) {
    const binding = name.startsWith("shard-") ? "LEDGER" : name.toUpperCase();
    const namespace = await miniflare.getDurableObjectNamespace(binding);
    return namespace.get(namespace.idFromName(name));
  }

  return {
    miniflare,
    /**
     * @param {string} name
     * @param {object} call
     */
    async call(name, call) {
      stubs[name] ??= await object_(name);
      return JSON.parse(await stubs[name].call(JSON.stringify(call)));
    },
    stop: () => miniflare.dispose(),
  };
}
