// The worker in a local workerd: the one definition that `npm start`, the tests and the benchmarks share. What
// `wrangler.toml` says is read from there.
// @ts-check
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Log, LogLevel, Miniflare } from "miniflare";
import { parse } from "smol-toml";
import { onPath } from "./lib/rust.mjs";
import { Refusal, root } from "./lib/steps.mjs";

const HOST = "127.0.0.1";

/**
 * @typedef {object} ServerOptions
 * @property {number} [port] 0, the default, takes a free one
 * @property {string | false} [persist] the folder that KV and the Durable Objects live in; false, the default, forgets
 * @property {Record<string, string>} [bindings] what the worker gets besides the defaults, or instead of them
 * @property {number} [shards] how many ledgers: the binding `LEDGER_SHARDS`
 * @property {string} [script] another entry than `wrangler.toml`'s, which has to export all that one does
 * @property {boolean} [assets] false leaves out `www` and the router before it, which halves local throughput
 * @property {import("miniflare").WorkerOptions[]} [workers] more workers; they reach ours by the name `edgemint`
 * @property {import("miniflare").WorkerOptions["outboundService"]} [outboundService] who answers the worker's `fetch`
 * @property {import("miniflare").WorkerOptions["unsafeDirectSockets"]} [unsafeDirectSockets] more sockets, which lead
 *   past miniflare's own worker
 * @property {(line: string) => void} [log] gets what the worker writes, a line at a time; the default prints it
 */

/**
 * @typedef {object} Server
 * @property {string} url without a trailing slash
 * @property {Miniflare} mf
 * @property {Record<string, string>} bindings those the worker was given, secrets included
 * @property {() => Promise<void>} reload starts the worker again from what was built since, with its state
 * @property {() => Promise<void>} stop
 * @property {() => Promise<void>} kill ends workerd as a crash would
 */

/**
 * @param {ServerOptions} [options]
 * @returns {Promise<Server>}
 */
export async function startServer(options = {}) {
  const port = options.port || (await freePort());
  const url = `http://${HOST}:${port}`;
  const bindings = {
    ISSUER: url,
    LOCAL: "1",
    LOCAL_RUN_SECRET: randomBytes(32).toString("base64url"),
    ROOT_SECRETS: randomBytes(32).toString("base64url"),
    ...(options.shards ? { LEDGER_SHARDS: String(options.shards) } : {}),
    ...options.bindings,
  };
  const write = options.log ?? ((line) => process.stdout.write(`${line}\n`));
  const settings = () => ({
    host: HOST,
    port,
    cf: false, // or it is fetched, from outside
    log: new Log(LogLevel.WARN),
    handleRuntimeStdio: (/** @type {import("node:stream").Readable} */ out, /** @type {import("node:stream").Readable} */ err) => {
      lines(out, write);
      lines(err, write);
    },
    ...(options.persist ? { defaultPersistRoot: options.persist } : {}),
    workers: [workerOptions(bindings, options), ...(options.workers ?? [])],
  });
  dieWithUs();
  const before = children();
  const mf = new Miniflare(settings());
  try {
    await mf.ready;
  } catch (error) {
    await mf.dispose().catch(() => {});
    throw error;
  }
  return {
    url,
    mf,
    bindings,
    reload: () => mf.setOptions(settings()),
    stop: () => mf.dispose(),
    kill: async () => {
      for (const child of children()) if (!before.includes(child)) process.kill(child, "SIGKILL");
      await mf.dispose().catch(() => {});
    },
  };
}

/**
 * Asks the worker to make the first administrator.
 *
 * @param {Server} server
 * @param {{ username: string, password: string }} administrator
 * @returns {Promise<{ status: number, detail: string }>} 201 made, 409 there is one
 */
export async function firstRun(server, administrator) {
  const response = await fetch(`${server.url}/api/v1/first-run`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${server.bindings.LOCAL_RUN_SECRET}`,
      "content-type": "application/json",
    },
    body: JSON.stringify(administrator),
  });
  return { status: response.status, detail: await response.text() };
}

/**
 * `wrangler.toml` in the local runtime's words.
 *
 * @param {Record<string, string>} bindings
 * @param {Pick<ServerOptions, "script" | "assets" | "outboundService" | "unsafeDirectSockets">} options
 * @returns {import("miniflare").WorkerOptions}
 */
export function workerOptions(bindings, { script: entry, assets = true, outboundService, unsafeDirectSockets } = {}) {
  const config = wranglerConfig();
  const sqlite = config.migrations.flatMap((migration) => migration.new_sqlite_classes ?? []);
  const script = join(root, entry ?? config.main);
  const built = ["build/edge/edgemint_bg.wasm", "build/objects/edgemint_bg.wasm", "build/openapi.json"];
  for (const path of [script, ...built.map((name) => join(root, name))]) {
    if (!existsSync(path)) throw new Refusal(`${path.slice(root.length)} is missing: run \`npm run build\``);
  }
  return {
    name: config.name,
    rootPath: root,
    modulesRoot: root,
    scriptPath: script,
    modules: true,
    modulesRules: [
      { type: "ESModule", include: ["**/*.js"] },
      { type: "CompiledWasm", include: ["**/*.wasm"] },
      ...config.rules.map(({ type, globs }) => ({ type, include: globs })),
    ],
    compatibilityDate: config.compatibility_date,
    compatibilityFlags: config.compatibility_flags,
    bindings: { ...config.vars, ...bindings },
    kvNamespaces: config.kv_namespaces.map(({ binding }) => binding),
    durableObjects: Object.fromEntries(
      config.durable_objects.bindings.map(({ name, class_name }) => [
        name,
        { className: class_name, useSQLite: sqlite.includes(class_name) },
      ]),
    ),
    ...(outboundService ? { outboundService } : {}),
    ...(unsafeDirectSockets ? { unsafeDirectSockets } : {}),
    ...(assets
      ? {
          assets: {
            directory: join(root, config.assets.directory),
            binding: config.assets.binding,
            routerConfig: {
              has_user_worker: true,
              static_routing: { user_worker: config.assets.run_worker_first },
            },
            assetConfig: { not_found_handling: config.assets.not_found_handling },
          },
        }
      : {}),
  };
}

/**
 * @typedef {object} WranglerConfig
 * @property {string} name
 * @property {string} main
 * @property {string} compatibility_date
 * @property {string[]} compatibility_flags
 * @property {Record<string, string>} [vars]
 * @property {{ type: "Text", globs: string[] }[]} rules
 * @property {{ binding: string }[]} kv_namespaces
 * @property {{ bindings: { name: string, class_name: string }[] }} durable_objects
 * @property {{ tag: string, new_sqlite_classes?: string[] }[]} migrations
 * @property {{ directory: string, binding: string, not_found_handling: "single-page-application", run_worker_first: string[] }} assets
 */

/** @returns {WranglerConfig} */
export function wranglerConfig() {
  return /** @type {any} */ (parse(readFileSync(join(root, "wrangler.toml"), "utf8")));
}

/** @param {number} port @returns {Promise<boolean>} */
export function isFree(port) {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.on("error", () => resolve(false));
    probe.listen({ host: HOST, port, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

/** @returns {Promise<number>} known before the worker starts, because its issuer holds it */
function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on("error", reject);
    probe.listen({ host: HOST, port: 0 }, () => {
      const { port } = /** @type {import("node:net").AddressInfo} */ (probe.address());
      probe.close(() => resolve(port));
    });
  });
}

/** Where Linux allows it, workerd ends with us even when we are killed; else it would keep the port. */
function dieWithUs() {
  const setpriv = process.platform === "linux" && onPath("setpriv");
  if (!setpriv || process.env.MINIFLARE_WORKERD_PATH) return;
  const miniflare = createRequire(import.meta.resolve("miniflare"));
  const { default: workerd } = miniflare("workerd");
  const wrapper = join(root, ".cache/workerd");
  const script = `#!/bin/sh\nexec '${setpriv}' --pdeathsig KILL '${workerd}' "$@"\n`;
  if (!existsSync(wrapper) || readFileSync(wrapper, "utf8") !== script) {
    mkdirSync(join(root, ".cache"), { recursive: true });
    writeFileSync(wrapper, script);
    chmodSync(wrapper, 0o755);
  }
  process.env.MINIFLARE_WORKERD_PATH = wrapper;
}

/** @returns {number[]} our child processes; empty where there is no /proc */
export function children() {
  try {
    return readdirSync("/proc/self/task").flatMap((task) =>
      readFileSync(`/proc/self/task/${task}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}

/** @param {import("node:stream").Readable} stream @param {(line: string) => void} write */
function lines(stream, write) {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (/** @type {string} */ chunk) => {
    const whole = (rest + chunk).split("\n");
    rest = whole.pop() ?? "";
    whole.forEach((line) => write(line));
  });
}
