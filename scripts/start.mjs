// `npm start`: sets up what is missing and serves until it is stopped.
// @ts-check
import { serveLocally, untilStopped } from "./lib/local.mjs";

export default async function main() {
  const server = await serveLocally();
  untilStopped(() => server.stop());
}
