// Debian packages, where we may install them.
// @ts-check
import { existsSync } from "node:fs";
import { attempt, run } from "./steps.mjs";

/** @type {Promise<string[] | null> | undefined} */
let prefix;
/** @type {Promise<unknown> | undefined} */
let lists;

/** The words before `apt-get`: none for root, `sudo -n` where it asks nothing; null where neither works. */
function privilege() {
  prefix ??= (async () => {
    if (!existsSync("/usr/bin/apt-get")) return null;
    if (process.getuid?.() === 0) return [];
    return (await attempt("sudo", ["-n", "true"])).code === 0 ? ["sudo", "-n"] : null;
  })();
  return prefix;
}

/** @param {string[]} args */
async function apt(args) {
  const [program, ...rest] = [...((await privilege()) ?? []), "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", ...args];
  return run(program, rest);
}

/**
 * Whether we may install all of these and this machine's sources have them.
 *
 * @param {...string} packages
 */
export async function aptOffers(...packages) {
  if (!(await privilege())) return false;
  lists ??= apt(["update", "-q"]).catch(() => {});
  await lists;
  return (await attempt("apt-get", ["install", "--simulate", "-q", ...packages])).code === 0;
}

/** @param {...string} packages */
export async function aptInstall(...packages) {
  await apt(["install", "-y", "-q", "--no-install-recommends", ...packages]);
}
