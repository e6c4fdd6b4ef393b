// What is paid before and beside the requests: size, start, memory, and the questions to the feed.
// @ts-check
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { ask, api, ADMINISTRATOR, read, register, serve, serveReady } from "../../tests/worker/support.js";
import { root } from "../lib/steps.mjs";
import { DIRECT, direct } from "./caller.mjs";
import { basic, BINDINGS } from "./edgemint.mjs";
import { request } from "./load.mjs";
import { observed, resident } from "./process.mjs";
import { median } from "./statistics.mjs";

const MACHINE = { redirect_uris: [], grant_types: ["client_credentials"], scope: "a" };

/** @param {"edge" | "objects" | "browser"} module */
export function gzipSize(module) {
  return gzipSync(readFileSync(join(root, `build/${module}/edgemint_bg.wasm`)), { level: 9 }).length;
}

/** @param {import("../../tests/worker/support.js").Server} server */
async function introspection(server) {
  const service = await register(server, MACHINE);
  const { body } = await ask(server, "/oauth/token", service, { grant_type: "client_credentials" });
  return request(`${server.url}/oauth/introspect`, { headers: basic(service), form: { token: body.access_token } });
}

/**
 * From the start of workerd, and from when it says that it is ready, to the first answer about a token that another
 * process made: the module, the client, the keys and the feed are all met for the first time.
 *
 * @param {{ load: import("./load.mjs").LoadGenerator, starts: number, startFloor: () => Promise<import("./rows.mjs").Subject> }} options
 * @returns {Promise<Record<string, { start: number, first: number }>>} milliseconds, medians, by subject
 */
export async function coldAnswer({ load, starts, startFloor }) {
  const persist = mkdtempSync(join(tmpdir(), "edgemint-bench-"));
  const options = { persist, bindings: { ...BINDINGS, ISSUER: "http://127.0.0.1:8787" }, unsafeDirectSockets: DIRECT };
  try {
    const maker = await serve(options);
    await api(maker, "/api/v1/first-run", ADMINISTRATOR);
    const bytes = await introspection(maker);
    await maker.stop();
    /** @type {{ start: number[], first: number[] }[]} */
    const [ours, floor] = [0, 1].map(() => ({ start: [], first: [] }));
    for (let time = 0; time < starts; time += 1) {
      await timed(ours, load, bytes, async () => {
        const server = await serve(options);
        return { url: await direct(server.mf, "edgemint"), stop: () => server.stop() };
      });
      await timed(floor, load, undefined, startFloor);
    }
    return Object.fromEntries(
      Object.entries({ edgemint: ours, floor }).map(([name, { start, first }]) => [name, { start: median(start), first: median(first) }]),
    );
  } finally {
    rmSync(persist, { recursive: true, force: true });
  }
}

/**
 * @param {{ start: number[], first: number[] }} times
 * @param {import("./load.mjs").LoadGenerator} load
 * @param {Buffer | undefined} bytes what to ask, if the subject does not say so itself
 * @param {() => Promise<{ url: string, stop: () => Promise<unknown>, rows?: Record<string, import("./rows.mjs").Work> }>} begin
 */
async function timed({ start, first }, load, bytes, begin) {
  const begun = performance.now();
  const subject = await begin();
  const ready = performance.now();
  try {
    const requests = bytes ? [bytes] : (subject.rows?.introspection.requests ?? []);
    await load.run({ url: subject.url, requests, count: 1, connections: 1, status: 200, text: '"active":true' });
    const answered = performance.now();
    start.push(answered - begun);
    first.push(answered - ready);
  } finally {
    await subject.stop();
  }
}

/**
 * What workerd holds before and after so many introspections.
 *
 * @param {{ load: import("./load.mjs").LoadGenerator, requests: number, startFloor: () => Promise<import("./rows.mjs").Subject> }} options
 * @returns {Promise<Record<string, { before: number, after: number }>>} MiB by subject; empty where there is no /proc
 */
export async function memory({ load, requests, startFloor }) {
  const begin = async () => {
    const server = await serveReady({ bindings: BINDINGS, unsafeDirectSockets: DIRECT });
    const rows = { introspection: { requests: [await introspection(server)], text: '"active":true' } };
    return { name: "edgemint", url: await direct(server.mf, "edgemint"), rows, stop: () => server.stop() };
  };
  /** @type {Record<string, { before: number, after: number }>} */
  const found = {};
  for (const [name, start] of Object.entries({ edgemint: begin, floor: startFloor })) {
    const subject = await observed(start);
    try {
      const { pid } = subject;
      if (pid === undefined) continue;
      const introspect = { url: subject.url, requests: subject.rows.introspection.requests ?? [], status: 200, text: '"active":true' };
      await load.run({ ...introspect, count: 1 });
      const before = resident(pid);
      await load.run({ ...introspect, count: requests });
      found[name] = { before, after: resident(pid) };
    } finally {
      await subject.stop();
    }
  }
  return found;
}

/**
 * How often a busy isolate asks the feed.
 *
 * @param {{ load: import("./load.mjs").LoadGenerator, seconds: number }} options
 * @returns {Promise<number>} per minute
 */
export async function feedPolls({ load, seconds }) {
  const server = await serveReady({ bindings: BINDINGS, script: "tests/worker/counting.js", unsafeDirectSockets: DIRECT });
  try {
    const bytes = await introspection(server);
    const url = await direct(server.mf, "edgemint");
    await fetch(`${server.url}/counted`);
    const slice = await load.run({ url, requests: [bytes], seconds, status: 200, text: '"active":true' });
    const { body } = await read(await fetch(`${server.url}/counted`));
    return ((body["worker feed"] ?? 0) * 60) / slice.seconds;
  } finally {
    await server.stop();
  }
}
