// @ts-check
/** The Durable Objects in workerd, with nothing in front of them. */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Miniflare } from "miniflare";

const root = fileURLToPath(new URL("../..", import.meta.url));

const ENTRY = `
  import { Courier as Real } from "../../src/objects.js";
  import { core } from "../../src/deciding.js";
  export { Ledger, Directory, Feed } from "../../src/objects.js";
  // What shards have the courier tell clients; a shard is known by its id.
  const told = [];
  export class Courier extends Real {
    call(call) {
      const { at, verb } = JSON.parse(call);
      if (verb === "due") return this.due(at.now);
      const { source, notices } = verb.send_logouts ?? {};
      if (source?.length === 64) {
        told.push(...notices.map(([, { client, session, sub }]) => ({ client, session, sub })));
      }
      return super.call(call);
    }
    // What would be sent then: no verb, but both stores have to choose alike.
    due(now) {
      const rows = (statement, values) => JSON.stringify(this.ctx.storage.sql.exec(statement, ...JSON.parse(values)).toArray());
      return JSON.stringify(JSON.parse(core().courier_due({ rows }, BigInt(now))).map(({ source, number }) => [source, number]));
    }
    posted() {
      return told.splice(0);
    }
  }
  export default { fetch: () => new Response("only objects here") };
`;

/**
 * Starts workerd.
 *
 * @param {{ persist?: string, entry?: string, core?: string, bindings?: object }} [options]
 *   `persist`: a directory that outlives the process; `entry` and `core`: text to take the place
 *   of the entry module and of `src/deciding.js` (the real one is `./real-core.js` then)
 */
export async function startObjects({ persist, entry = ENTRY, core, bindings = {} } = {}) {
  const text = (/** @type {string} */ path) => readFileSync(`${root}${path}`, "utf8");
  const sqlite = (/** @type {string} */ className) => ({ className, useSQLite: true });
  const miniflare = new Miniflare({
    compatibilityDate: "2026-04-01",
    modulesRoot: root,
    modules: [
      { type: "ESModule", path: `${root}tests/worker/entry.js`, contents: entry },
      { type: "ESModule", path: `${root}src/objects.js` },
      { type: "ESModule", path: `${root}src/deciding.js`, contents: core ?? text("src/deciding.js") },
      { type: "ESModule", path: `${root}src/real-core.js`, contents: text("src/deciding.js") },
      { type: "ESModule", path: `${root}src/watched.js` },
      { type: "ESModule", path: `${root}src/edge/fetching.js` },
      { type: "ESModule", path: `${root}src/edge/publishing.js` },
      { type: "ESModule", path: `${root}src/edge/sending.js` },
      { type: "ESModule", path: `${root}src/edge/sql.js` },
      { type: "ESModule", path: `${root}src/edge/unfinished.js` },
      { type: "ESModule", path: `${root}src/edge/within.js` },
      ...scripts(`${root}build/objects`),
      { type: "CompiledWasm", path: `${root}build/objects/edgemint_bg.wasm` },
    ],
    durableObjects: {
      LEDGER: sqlite("Ledger"),
      DIRECTORY: sqlite("Directory"),
      FEED: sqlite("Feed"),
      COURIER: sqlite("Courier"),
    },
    kvNamespaces: ["KV"],
    bindings: { ISSUER: "http://127.0.0.1:1", ROOT_SECRETS: "root-secret-of-the-objects-alone-1", ...bindings },
    ...(persist === undefined ? {} : { defaultPersistRoot: persist }),
  });
  await miniflare.ready;
  /** @type {Map<string, Promise<any>>} */
  const stubs = new Map();

  /** @param {string} name `directory`, `feed` or `shard-N` */
  function stub(name) {
    const known = stubs.get(name);
    if (known) {
      return known;
    }
    const binding = name.startsWith("shard-") ? "LEDGER" : name.toUpperCase();
    const made = miniflare
      .getDurableObjectNamespace(binding)
      .then((namespace) => namespace.get(namespace.idFromName(name)));
    stubs.set(name, made);
    return made;
  }

  return {
    miniflare,
    object: stub,
    /**
     * @param {string} name
     * @param {object} call
     */
    async call(name, call) {
      return JSON.parse(await (await stub(name)).call(JSON.stringify(call)));
    },
    /** What shards have had the courier tell clients since the last time. */
    async posted() {
      return (await stub("courier")).posted();
    },
    /** Kills workerd where it stands. */
    async crash() {
      const running = children(process.pid, "workerd");
      if (running.length === 0) {
        throw new Error("there is no workerd to kill");
      }
      for (const pid of running) {
        process.kill(pid, "SIGKILL");
      }
      await miniflare.dispose();
    },
    stop: () => miniflare.dispose(),
  };
}

/**
 * @param {string} directory
 * @returns {{ type: "ESModule", path: string }[]} the glue of the core, and its snippets
 */
function scripts(directory) {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".js"))
    .map((name) => ({ type: "ESModule", path: join(directory, name) }));
}

/**
 * @param {number} parent
 * @param {string} name
 */
function children(parent, name) {
  const { stdout } = spawnSync("ps", ["-o", "pid=,comm=", "--ppid", String(parent)]);
  return stdout
    .toString()
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, command]) => command === name)
    .map(([pid]) => Number(pid));
}
