// A Worker that has every request validated over a service binding: by us, or by JavaScript that always says yes.
// @ts-check
import { readFileSync } from "node:fs";
import { wranglerConfig } from "../server.mjs";

/**
 * A socket of workerd's own. Miniflare puts a worker of its own before ours, which costs every request three times
 * what the whole JavaScript floor costs and would make any two servers look alike.
 */
export const DIRECT = [{ host: "127.0.0.1", port: 0 }];

/** The host by which miniflare's proxy knows the caller. */
export const CALLER = "caller.example";

/**
 * @param {{ name: string, entrypoint: string, props?: Record<string, string> }} binding
 * @returns {import("miniflare").WorkerOptions}
 */
export function caller(binding) {
  return {
    name: "caller",
    modules: [{ type: "ESModule", path: "caller.js", contents: readFileSync(new URL("caller.worker.js", import.meta.url), "utf8") }],
    ...compatibility(),
    serviceBindings: { EDGEMINT: binding },
    routes: [`${CALLER}/*`],
    unsafeDirectSockets: DIRECT,
  };
}

/** All workers run under the rules that ours does. */
export function compatibility() {
  const { compatibility_date, compatibility_flags } = wranglerConfig();
  return { compatibilityDate: compatibility_date, compatibilityFlags: compatibility_flags };
}

/**
 * @param {import("miniflare").Miniflare} mf
 * @param {string} worker
 * @returns {Promise<string>} without a trailing slash
 */
export async function direct(mf, worker) {
  return (await mf.unsafeGetDirectURL(worker)).href.replace(/\/$/, "");
}
