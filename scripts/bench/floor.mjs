// The floor: plain JavaScript that reads the same requests and answers the same bytes, as recorded from ours.
// @ts-check
import { readFileSync } from "node:fs";
import { Miniflare } from "miniflare";
import { caller, compatibility, DIRECT, direct } from "./caller.mjs";
import { MINIFLARE } from "./rows.mjs";

/** Headers that the runtime writes by itself. */
const TRANSPORT = ["connection", "content-length", "date", "transfer-encoding"];

/** @typedef {{ status: number, headers: [string, string][], body: string }} Answer */

/** @typedef {Record<string, { request: Buffer, text: string, answer: Answer }>} Recordings by row */

/**
 * @param {import("./rows.mjs").Subject} ours
 * @param {import("./load.mjs").LoadGenerator} load
 * @returns {Promise<Recordings>}
 */
export async function record(ours, load) {
  /** @type {Recordings} */
  const recordings = {};
  for (const [name, work] of Object.entries(ours.rows)) {
    const bytes = await sample(work);
    recordings[name] = { request: bytes, text: work.text, answer: await answerTo(load, work.url ?? ours.url, bytes, work.text) };
  }
  return recordings;
}

/**
 * @param {Recordings} recordings
 * @returns {Promise<import("./rows.mjs").Subject>}
 */
export async function startFloor(recordings) {
  const answers = Object.entries(recordings).map(([name, { answer }]) => [path(name), answer]);
  const mf = new Miniflare({
    host: "127.0.0.1",
    cf: false,
    workers: [
      {
        name: "floor",
        modules: [{ type: "ESModule", path: "floor.js", contents: readFileSync(new URL("floor.worker.js", import.meta.url), "utf8") }],
        ...compatibility(),
        bindings: { ANSWERS: Object.fromEntries(answers), VERDICT: JSON.parse(recordings.validation.answer.body) },
        unsafeDirectSockets: DIRECT,
      },
      caller({ name: "floor", entrypoint: "Edgemint", props: { client: "floor" } }),
    ],
  });
  const front = (await mf.ready).href.replace(/\/$/, "");
  const url = await direct(mf, "floor");
  const validation = await direct(mf, "caller");
  return {
    name: "floor",
    url,
    rows: Object.fromEntries(
      Object.entries(recordings).map(([name, { request, text }]) => {
        const proxied = name.endsWith(MINIFLARE);
        if (name.startsWith("validation")) return [name, { url: proxied ? front : validation, text, requests: [request] }];
        return [name, { url: proxied ? front : url, text, requests: [elsewhere(request, `/oauth/${path(name)}`)] }];
      }),
    ),
    stop: () => mf.dispose(),
  };
}

/**
 * Fails unless the floor answers what was recorded.
 *
 * @param {import("./rows.mjs").Subject} floor
 * @param {Recordings} recordings
 * @param {import("./load.mjs").LoadGenerator} load
 */
export async function compare({ rows, url }, recordings, load) {
  for (const [name, { answer }] of Object.entries(recordings)) {
    const { requests = [], text } = rows[name];
    const [expected, found] = [answer, await answerTo(load, rows[name].url ?? url, requests[0], text)].map(comparable);
    if (expected !== found) throw new Error(`${name}: the floor answers\n${found}\ninstead of\n${expected}`);
  }
}

/** @param {Answer} answer headers have no order */
function comparable({ status, headers, body }) {
  const lines = headers.map(([header, value]) => `${header.toLowerCase()}: ${value}`).sort();
  return [status, ...lines, body].join("\n");
}

/** @param {import("./rows.mjs").Work} work @returns {Promise<Buffer>} */
async function sample(work) {
  if (work.sample) return work.sample;
  const [bytes] = work.prepare ? await work.prepare(1) : (work.requests ?? []);
  return bytes;
}

/**
 * @param {import("./load.mjs").LoadGenerator} load
 * @param {string} url
 * @param {Buffer} bytes
 * @param {string} text
 * @returns {Promise<Answer>}
 */
async function answerTo(load, url, bytes, text) {
  const { captured } = await load.run({ url, requests: [bytes], count: 1, connections: 1, status: 200, text, capture: "^([^]*)$" });
  const [head, body] = captured[0].split("\r\n\r\n");
  const [line, ...lines] = head.split("\r\n");
  const headers = lines.map((header) => /** @type {[string, string]} */ (/^([^:]+): *(.*)$/.exec(header)?.slice(1)));
  return { status: Number(line.split(" ")[1]), headers: headers.filter(([name]) => !TRANSPORT.includes(name.toLowerCase())), body };
}

/**
 * The same request, but for its path: the floor learns from it what to answer.
 *
 * @param {Buffer} bytes
 * @param {string} target
 */
function elsewhere(bytes, target) {
  return Buffer.from(bytes.toString("latin1").replace(/^(\S+) \S+/, `$1 ${target}`), "latin1");
}

/** @param {string} name */
function path(name) {
  return name.replaceAll(/[^a-zA-Z_]+/g, "-");
}
