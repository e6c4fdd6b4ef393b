// Schemathesis for the tests, from PyPI, in a Python environment of its own.
// @ts-check
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { aptInstall, aptOffers } from "./lib/apt.mjs";
import { fingerprint } from "./lib/modules.mjs";
import { onPath } from "./lib/rust.mjs";
import { Refusal, attempt, root, run, step } from "./lib/steps.mjs";

const REQUIREMENTS = "tests/worker/openapi/requirements.txt";
const PLACE = join(root, ".cache/schemathesis");

/** @returns {Promise<string>} the path of the program, installed if need be */
export async function schemathesis() {
  const program = join(PLACE, "bin/schemathesis");
  const stamp = join(PLACE, ".edgemint");
  const wanted = fingerprint([REQUIREMENTS]);
  if (existsSync(program) && existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return program;
  await step("schemathesis", async () => {
    rmSync(PLACE, { recursive: true, force: true });
    await environment();
    const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"];
    await run(join(PLACE, "bin/python"), [...pip, "--requirement", join(root, REQUIREMENTS)]);
    writeFileSync(stamp, wanted);
  });
  return program;
}

async function environment() {
  const make = () => attempt("python3", ["-m", "venv", PLACE]);
  // Debian's Python comes without what makes an environment, and may not come at all.
  if (onPath("python3") && (await make()).code === 0) return;
  if (await aptOffers("python3-venv")) await aptInstall("python3-venv");
  rmSync(PLACE, { recursive: true, force: true });
  const { code, output } = await make();
  if (code !== 0) {
    throw new Refusal(`Python cannot make an environment: \`apt-get install python3-venv\` as root\n${output.trim()}`);
  }
}
