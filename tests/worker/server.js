// @ts-check
/** The worker in a local workerd: `scripts/server.mjs`, or as much of it as these tests need. */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Log, LogLevel, Miniflare } from "miniflare";

export const root = fileURLToPath(new URL("../..", import.meta.url));

const shared = join(root, "scripts/server.mjs");
const theirs = existsSync(shared) ? await import(shared) : undefined;

export const startServer = theirs?.startServer ?? start;
export const workerOptions = theirs?.workerOptions ?? options;

/**
 * @param {{ port?: number, persist?: string | false, bindings?: Record<string, string>, assets?: boolean,
 *   script?: string, workers?: any[], log?: (line: string) => void }} [wanted]
 */
async function start(wanted = {}) {
  const port = wanted.port || (await freePort());
  const url = `http://127.0.0.1:${port}`;
  const bindings = { ISSUER: url, LOCAL: "1", ...wanted.bindings };
  const log = wanted.log ?? console.log;
  const settings = {
    host: "127.0.0.1",
    port,
    cf: false,
    log: new Log(LogLevel.WARN),
    handleRuntimeStdio: (/** @type {any} */ out, /** @type {any} */ err) => [out, err].forEach((stream) => lines(stream, log)),
    ...(wanted.persist ? { defaultPersistRoot: wanted.persist } : {}),
    workers: [options(bindings, wanted), ...(wanted.workers ?? [])],
  };
  const before = children();
  const mf = new Miniflare(settings);
  await mf.ready;
  return {
    url,
    mf,
    bindings,
    reload: () => mf.setOptions(settings),
    stop: () => mf.dispose(),
    kill: async () => {
      for (const child of children()) if (!before.includes(child)) process.kill(child, "SIGKILL");
      await mf.dispose().catch(() => {});
    },
  };
}

/**
 * @param {Record<string, string>} bindings
 * @param {{ assets?: boolean, script?: string }} [wanted] `script`: another entry than the shim, which exports what it does
 */
function options(bindings, { assets = true, script = "src/shim.js" } = {}) {
  return {
    name: "edgemint",
    rootPath: root,
    modulesRoot: root,
    scriptPath: join(root, script),
    modules: true,
    modulesRules: [
      { type: "ESModule", include: ["**/*.js"] },
      { type: "CompiledWasm", include: ["**/*.wasm"] },
    ],
    compatibilityDate: "2026-05-03",
    compatibilityFlags: ["global_fetch_strictly_public"],
    bindings,
    kvNamespaces: ["KV"],
    durableObjects: {
      DIRECTORY: { className: "Directory", useSQLite: true },
      LEDGER: { className: "Ledger", useSQLite: true },
      FEED: { className: "Feed", useSQLite: true },
    },
    ...(assets
      ? {
          assets: {
            directory: join(root, "www"),
            binding: "ASSETS",
            routerConfig: {
              has_user_worker: true,
              static_routing: { user_worker: ["/.well-known/*", "/api/*", "/oauth/*", "/consent", "/login", "/logout", "/health", "/ready"] },
            },
            assetConfig: { not_found_handling: "single-page-application" },
          },
        }
      : {}),
  };
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = /** @type {import("node:net").AddressInfo} */ (probe.address());
      probe.close(() => resolve(port));
    });
  });
}

/** @returns {number[]} */
function children() {
  return readdirSync("/proc/self/task").flatMap((task) =>
    readFileSync(`/proc/self/task/${task}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number),
  );
}

/** @param {any} stream @param {(line: string) => void} log */
function lines(stream, log) {
  let rest = "";
  stream.setEncoding("utf8").on("data", (/** @type {string} */ chunk) => {
    const whole = (rest + chunk).split("\n");
    rest = whole.pop() ?? "";
    whole.forEach((line) => log(line));
  });
}
