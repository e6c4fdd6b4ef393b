// `node scripts/run.mjs COMMAND …`: the door of every npm script. Starts on Node 20, installs the npm packages if
// they changed, goes on in the Node that came with them, and there runs `scripts/COMMAND.mjs`.
// @ts-check
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { Refusal, root, run, step } from "./lib/steps.mjs";

const NODE = join(root, "node_modules/node/bin/node");
const [command = "", ...args] = process.argv.slice(2);

process.env.WRANGLER_SEND_METRICS ??= "false";

try {
  await packages();
  const current = Number(process.versions.node.split(".")[0]);
  if (current >= 24) {
    process.on("disconnect", () => process.kill(process.pid, "SIGTERM"));
    process.channel?.unref();
    const { default: main } = await import(`./${command}.mjs`);
    await main(args);
  } else {
    relay();
  }
} catch (error) {
  if (!(error instanceof Refusal)) throw error;
  console.error(`edgemint: ${error.message}`);
  process.exit(1);
}

async function packages() {
  const stamp = join(root, "node_modules/.edgemint");
  const wanted = createHash("sha256")
    .update(readFileSync(join(root, "package.json")))
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted && existsSync(NODE)) return;
  const npm = process.env.npm_execpath;
  const [program, ...rest] = npm?.endsWith("js") ? [process.execPath, npm] : ["npm"];
  // `install`, because `ci` refuses a lock file that was written on another platform.
  await step("npm packages", () => run(program, [...rest, "install", "--no-save", "--no-progress", "--loglevel=error"]));
  if (!existsSync(NODE)) throw new Refusal("npm did not install Node 24: run `npm install node` and look at what it says");
  writeFileSync(stamp, wanted);
}

/** Node 20 cannot replace itself, so it stands in front: signals go down, the exit code comes up. */
function relay() {
  // The channel tells the child that we are gone, even if we were killed.
  const child = spawn(NODE, process.argv.slice(1), { stdio: ["inherit", "inherit", "inherit", "ipc"] });
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
    process.on(signal, () => child.kill(signal));
  }
  child.on("exit", (code, signal) => process.exit(code ?? 128 + (signal ? constants.signals[signal] : 0)));
}
