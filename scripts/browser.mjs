// A real browser for the tests.
// @ts-check
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";
import { aptInstall, aptOffers } from "./lib/apt.mjs";
import { onPath } from "./lib/rust.mjs";
import { Refusal, step } from "./lib/steps.mjs";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome";
// It dials nobody on its own account.
const QUIET = [
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** @returns {Promise<import("playwright-core").Browser>} with a profile of its own; close it */
export async function launchBrowser() {
  return chromium.launch({ executablePath: await browserPath(), chromiumSandbox: false, args: QUIET });
}

/** @returns {Promise<string>} the path of a Chromium, installed if need be */
export async function browserPath() {
  const present = find();
  if (present) return present;
  if (await aptOffers("chromium")) await step("chromium, from Debian", () => aptInstall("chromium"));
  const installed = find();
  if (installed) return installed;
  throw new Refusal("chromium is missing: `apt-get install chromium` as root, or name one in the environment as CHROMIUM");
}

function find() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  return NAMES.map(onPath).find(Boolean) ?? (existsSync(MAC) ? MAC : undefined);
}
