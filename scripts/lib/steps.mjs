// Progress: one short line per step, with the time it took. A step that had nothing to do is silent.
// @ts-check
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The repository, with a trailing separator. */
export const root = fileURLToPath(new URL("../../", import.meta.url));

/** What a developer has to put right; shown as one line, without a stack. */
export class Refusal extends Error {}

/**
 * @template T
 * @param {string} name
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function step(name, work) {
  const begun = performance.now();
  const live = Boolean(process.stderr.isTTY);
  process.stderr.write(live ? `  ${name} …` : `  ${name} …\n`);
  try {
    const result = await work();
    const line = `  ${name}: ${((performance.now() - begun) / 1000).toFixed(1)} s\n`;
    process.stderr.write(live ? `\r\x1b[K${line}` : line);
    return result;
  } catch (error) {
    if (live) process.stderr.write("\n");
    throw error;
  }
}

/**
 * Runs a program to its end and returns what it printed; with `show` it prints for itself.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {{ env?: Record<string, string | undefined>, timeout?: number, show?: boolean }} [options]
 * @returns {Promise<string>}
 */
export async function run(program, args, { env = {}, timeout, show = false } = {}) {
  const { code, output } = await attempt(program, args, { env, timeout, show });
  if (code !== 0) {
    const tail = show ? "" : `\n${output.trim().split("\n").slice(-60).join("\n")}`;
    throw new Refusal(`${program} ${args.join(" ")}: ${code === null ? "did not finish" : `exit ${code}`}${tail}`);
  }
  return output;
}

/**
 * The same, but failing is an answer: `code` is null when the program is missing or was stopped at the time limit.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {{ env?: Record<string, string | undefined>, timeout?: number, show?: boolean }} [options]
 * @returns {Promise<{ code: number | null, output: string }>}
 */
export function attempt(program, args, { env = {}, timeout, show = false } = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: show ? "inherit" : ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => (output += chunk));
    const timer = timeout && setTimeout(() => child.kill("SIGKILL"), timeout);
    const end = (/** @type {number | null} */ code) => {
      if (timer) clearTimeout(timer);
      // A grandchild may still hold the pipes open.
      for (const stream of [child.stdout, child.stderr]) stream?.destroy();
      resolve({ code, output });
    };
    child.on("error", (error) => {
      output += error.message;
      end(null);
    });
    child.on("exit", (code) => setImmediate(end, code));
  });
}
