// `npm start`: sets up what is missing and serves until it is stopped.
// @ts-check
import { serveLocally } from "./lib/local.mjs";

export default async function main() {
  await serveLocally();
}
