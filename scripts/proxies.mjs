// Proxies for the tests: as they are on this machine, or unpacked from Debian's packages, which installs nothing.
// @ts-check
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { aptOffers } from "./lib/apt.mjs";
import { onPath } from "./lib/rust.mjs";
import { attempt, root } from "./lib/steps.mjs";

const PLACE = join(root, ".cache/proxies");

/**
 * @param {"nginx" | "caddy"} name
 * @returns {Promise<string | undefined>} the path of the program; nothing where there is no way to get it
 */
export async function proxyPath(name) {
  const found = () => onPath(name) ?? ["usr/sbin", "usr/bin"].map((folder) => join(PLACE, name, folder, name)).find(existsSync);
  if (found()) return found();
  if (!onPath("apt-get") || !onPath("dpkg-deb") || !(await aptOffers(name))) return undefined;
  const folder = join(PLACE, name);
  mkdirSync(folder, { recursive: true });
  await attempt("sh", ["-c", `cd '${folder}' && apt-get download -q ${name}`]);
  const packed = readdirSync(folder).find((file) => file.endsWith(".deb"));
  if (packed) await attempt("dpkg-deb", ["-x", join(folder, packed), folder]);
  const program = found();
  // What it needs besides may not be there.
  return program && (await attempt(program, name === "nginx" ? ["-v"] : ["version"])).code === 0 ? program : undefined;
}
