// The developer's own run: settings from the environment, secrets and state in a folder, one administrator.
// @ts-check
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Refusal, root, step } from "./steps.mjs";
import { build } from "./modules.mjs";

const DEFAULT_PORT = 8787;
// Short enough to type, long enough never to be guessed.
const MIN_BOOTSTRAP_TOKEN = 32;

/** Sets up, builds, serves until it is told to stop, and says where. @returns {Promise<import("../server.mjs").Server>} */
export async function serveLocally() {
  const { PORT, STATE_DIR, ADMIN_USERNAME, ADMIN_PASSWORD } = process.env;
  const port = portNumber(PORT);
  const state = resolve(root, STATE_DIR || ".state");
  const bindings = settings();
  const { firstRun, isFree, startServer } = await import("../server.mjs");
  if (port && !(await isFree(port))) {
    throw new Refusal(`port ${port} is taken: stop what uses it, or choose another with \`PORT=… npm start\``);
  }
  await build();
  const server = await step("worker", () =>
    startServer({ port, persist: join(state, "storage"), bindings: { ...secrets(state), ...bindings } }),
  );
  untilStopped(() => server.stop());
  const administrator = {
    username: ADMIN_USERNAME || "admin",
    password: ADMIN_PASSWORD || randomBytes(15).toString("base64url"),
  };
  const { status, detail } = await firstRun(server, administrator);
  const ready = [`issuer: ${server.bindings.ISSUER}`, `demo: ${server.url}/`];
  if (status === 201) {
    ready.push(`administrator: ${administrator.username}`, `password: ${administrator.password}`);
  } else if (status !== 409) {
    console.error(`edgemint: no first administrator was made: ${status} ${detail.slice(0, 500)}`);
  }
  console.log(ready.join("\n"));
  return server;
}

/** Ends cleanly when asked to. @param {() => Promise<void>} stop */
function untilStopped(stop) {
  let stopping = false;
  const end = async () => {
    if (stopping) return;
    stopping = true;
    await stop().catch((error) => console.error(error));
    process.exit(0);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    // Miniflare's own handler exits at once, as if stopping were a failure.
    process.removeAllListeners(signal);
    process.on(signal, end);
  }
}

/** @param {string | undefined} text */
function portNumber(text) {
  const port = Number(text || DEFAULT_PORT);
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new Refusal(`PORT is not a port number: ${text}`);
  return port;
}

/** What of the environment the worker sees. @returns {Record<string, string>} */
function settings() {
  const names = ["AVAILABLE", "BOOTSTRAP_TOKEN", "DANGER_ACCEPT_UNCHECKED_REVOCATION_SECONDS", "DANGER_ALLOW_PRIVATE_FETCH_TARGETS", "ERROR_URI", "ISSUER", "LEDGER_SHARDS", "PROXY_SECRET", "QUOTAS", "REVOCATION_MAX_AGE", "ROOT_SECRETS"];
  const given = Object.entries(process.env).filter(([name]) => names.includes(name) || name.startsWith("EDGEMINT_"));
  const found = Object.fromEntries(given.flatMap(([name, value]) => (value ? [[name, value]] : [])));
  if (found.BOOTSTRAP_TOKEN && found.BOOTSTRAP_TOKEN.length < MIN_BOOTSTRAP_TOKEN) {
    throw new Refusal(`BOOTSTRAP_TOKEN has fewer than ${MIN_BOOTSTRAP_TOKEN} characters`);
  }
  return found;
}

/**
 * Made once: what was sealed under them must open after a restart, and `npm run admin` finds its token here.
 *
 * @param {string} state
 * @returns {{ ROOT_SECRETS: string, BOOTSTRAP_TOKEN: string }}
 */
function secrets(state) {
  const path = join(state, "secrets.json");
  const kept = existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : { ROOT_SECRETS: randomBytes(32).toString("base64url") };
  if (!kept.ROOT_SECRETS) throw new Refusal(`${path} holds no ROOT_SECRETS: restore it, or remove the folder to start anew`);
  if (!kept.BOOTSTRAP_TOKEN) {
    kept.BOOTSTRAP_TOKEN = randomBytes(32).toString("base64url");
    mkdirSync(state, { recursive: true, mode: 0o700 });
    writeFileSync(path, `${JSON.stringify(kept, null, 2)}\n`, { mode: 0o600 });
  }
  chmodSync(path, 0o600);
  return { ROOT_SECRETS: kept.ROOT_SECRETS, BOOTSTRAP_TOKEN: kept.BOOTSTRAP_TOKEN };
}
