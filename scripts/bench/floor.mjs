// The floor: plain JavaScript that reads the same requests and answers the same bytes, as recorded from ours.
// @ts-check
import { readFileSync } from "node:fs";
import { Miniflare } from "miniflare";
import { caller, compatibility, DIRECT, direct } from "./caller.mjs";

/** Headers that the runtime writes by itself. */
const TRANSPORT = ["connection", "content-length", "date", "transfer-encoding"];

/**
 * @param {import("./rows.mjs").Subject} ours
 * @param {import("./load.mjs").LoadGenerator} load
 * @returns {Promise<import("./rows.mjs").Subject>}
 */
export async function startFloor(ours, load) {
  const names = Object.keys(ours.rows);
  /** @type {Record<string, Buffer>} */
  const requests = {};
  /** @type {Record<string, Answer>} */
  const answers = {};
  for (const name of names) {
    const work = ours.rows[name];
    requests[name] = await sample(work);
    answers[path(name)] = await record(load, work, work.url ?? ours.url, requests[name]);
  }
  const mf = new Miniflare({
    host: "127.0.0.1",
    cf: false,
    workers: [
      {
        name: "floor",
        modules: [{ type: "ESModule", path: "floor.js", contents: readFileSync(new URL("floor.worker.js", import.meta.url), "utf8") }],
        ...compatibility(),
        bindings: { ANSWERS: answers, VERDICT: JSON.parse(answers.validation.body) },
        unsafeDirectSockets: DIRECT,
      },
      caller({ name: "floor", entrypoint: "Edgemint" }),
    ],
  });
  const url = await direct(mf, "floor");
  const validation = await direct(mf, "caller");
  return {
    name: "floor",
    url,
    rows: Object.fromEntries(
      names.map((name) => {
        const { text } = ours.rows[name];
        if (name === "validation") return [name, { url: validation, text, requests: [requests[name]] }];
        return [name, { text, requests: [elsewhere(requests[name], `/oauth/${path(name)}`)] }];
      }),
    ),
    stop: () => mf.dispose(),
  };
}

/** @typedef {{ status: number, headers: [string, string][], body: string }} Answer */

/** @param {import("./rows.mjs").Work} work @returns {Promise<Buffer>} */
async function sample(work) {
  if (work.sample) return work.sample;
  const [bytes] = work.prepare ? await work.prepare(1) : (work.requests ?? []);
  return bytes;
}

/**
 * @param {import("./load.mjs").LoadGenerator} load
 * @param {import("./rows.mjs").Work} work
 * @param {string} url
 * @param {Buffer} bytes
 * @returns {Promise<Answer>}
 */
async function record(load, { text }, url, bytes) {
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
  return Buffer.from(bytes.latin1Slice().replace(/^(\S+) \S+/, `$1 ${target}`), "latin1");
}

/** @param {string} name */
function path(name) {
  return name.replaceAll(" ", "-");
}
