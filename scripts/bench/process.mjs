// What the system says about a server's process. Where there is no /proc it says nothing.
// @ts-check
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { children } from "../server.mjs";

/**
 * @template T
 * @param {() => Promise<T>} start something that runs in one process
 * @returns {Promise<T & { pid?: number }>}
 */
export async function observed(start) {
  const others = children();
  const started = await start();
  const [pid] = children().filter((child) => !others.includes(child));
  return Object.assign(/** @type {any} */ (started), { pid });
}

/** @param {number | undefined} pid @returns {number} microseconds on a processor since it started; NaN if that is not known */
export function cpuTime(pid) {
  const tasks = `/proc/${pid}/task`;
  if (pid === undefined || !existsSync(tasks)) return NaN;
  const nanoseconds = readdirSync(tasks).map((task) => Number(readFileSync(`${tasks}/${task}/schedstat`, "utf8").split(" ")[0]));
  return nanoseconds.reduce((sum, each) => sum + each) / 1000;
}

/** @param {number} pid @returns {number} MiB in memory */
export function resident(pid) {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}
