// `npm run dev`: `npm start`, and again after every change, with its state kept.
// @ts-check
import { watch } from "node:fs";
import { join } from "node:path";
import { serveLocally } from "./lib/local.mjs";
import { build } from "./lib/modules.mjs";
import { Refusal, root, step } from "./lib/steps.mjs";

// Editors save in several writes.
const SETTLE_MS = 150;

export default async function main() {
  const server = await serveLocally();
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  let working = Promise.resolve();
  const changed = () => {
    clearTimeout(timer);
    timer = setTimeout(() => (working = working.then(again)), SETTLE_MS);
  };
  const again = async () => {
    try {
      await build();
      await step("worker", () => server.reload());
    } catch (error) {
      console.error(error instanceof Refusal ? `edgemint: ${error.message}` : error);
    }
  };
  watch(join(root, "src"), { recursive: true }, changed);
  watch(join(root, "Cargo.toml"), changed);
  watch(join(root, "wrangler.toml"), changed);
  console.log("watching src, Cargo.toml and wrangler.toml");
}
