// What is compared, and the interleaved slices in which it is measured.
// @ts-check
import { existsSync } from "node:fs";
import { cpuTime } from "./process.mjs";
import { quantile } from "./statistics.mjs";

/**
 * @typedef {object} Work how a subject is asked in one row
 * @property {string} [url] if it is not the subject's own
 * @property {Buffer[]} [requests]
 * @property {(count: number) => Promise<Buffer[]>} [prepare] requests that can be sent once, made right before
 * @property {import("./load.mjs").Ask["order"]} [order]
 * @property {string} text what every answer has in it
 * @property {string} [capture]
 * @property {() => string[]} [tokens] where the chains stand
 * @property {(tokens: string[]) => void} [left] where a slice left them
 * @property {Buffer} [sample] a request that may be sent once, beside the chains
 *
 * @typedef {object} Subject
 * @property {string} name
 * @property {string} url
 * @property {number} [pid] of its process
 * @property {Record<string, Work>} rows by the names below; those that the subject has
 * @property {() => Promise<unknown>} stop
 *
 * @typedef {object} Measured one value for each repetition
 * @property {number[]} rates
 * @property {number[]} ratios to the floor's
 * @property {number[]} cpu microseconds of the server's processors for each request
 * @property {number[]} cpuRatios how much of that the floor needs
 * @property {number} p50 the median over the repetitions
 * @property {number} p99 the same
 */

/** The end of a row's name: the same once more, with miniflare's own worker in front, as in `npm start`. */
export const MINIFLARE = ", behind miniflare's proxy";

/** The rows that wait for a disk, at least with us; and the end of their names where memory is taken for one. */
export const WRITING = ["code exchange", "refresh"];
export const WITHOUT_DISK = ", without a disk";
export const MEMORY = "/dev/shm";

/** In the order of the table. */
export const ROWS = [
  "introspection",
  `introspection${MINIFLARE}`,
  "check_token",
  "validation",
  `validation${MINIFLARE}`,
  "subrequest",
  "subrequest, a service's own token",
  "client_credentials",
  `client_credentials${MINIFLARE}`,
  ...WRITING,
  ...(existsSync(MEMORY) ? WRITING.map((name) => name + WITHOUT_DISK) : []),
  "userinfo",
  "JWKS",
];

/** What a slice of codes takes at least; after the first, what the one before would have needed and a half more. */
const FIRST_CODES = 32;

/**
 * Asks every subject in turn, the other way round each time, so that what slows the machine down slows all of them; a
 * ratio is always to the floor of the same repetition.
 *
 * @param {string} row
 * @param {Subject[]} subjects the floor among them
 * @param {{ load: import("./load.mjs").LoadGenerator, warmups: number, repetitions: number, seconds: number }} options
 * @returns {Promise<Map<string, Measured>>} by subject
 */
export async function measure(row, subjects, { load, warmups, repetitions, seconds }) {
  const taking = subjects.filter(({ rows }) => rows[row]);
  /** @type {Map<string, (import("./load.mjs").Slice & { cpu: number })[]>} */
  const slices = new Map(taking.map(({ name }) => [name, []]));
  /** @type {Map<string, number>} */
  const enough = new Map();
  // The first ones, half as long, only warm up: what is compiled, what is cached, and how many codes a slice needs.
  for (let repetition = -warmups; repetition < repetitions; repetition += 1) {
    const length = repetition < 0 ? seconds / 2 : seconds;
    const order = repetition % 2 === 0 ? taking : [...taking].reverse();
    for (const subject of order) {
      const slice = await sliceOf(subject, subject.rows[row], { load, seconds: length, codes: enough.get(subject.name) ?? FIRST_CODES });
      enough.set(subject.name, Math.max(FIRST_CODES, Math.ceil((1.5 * slice.requests * seconds) / slice.seconds)));
      if (repetition >= 0) slices.get(subject.name)?.push(slice);
    }
  }
  const rates = (/** @type {string} */ name) => (slices.get(name) ?? []).map(({ requests, seconds }) => requests / seconds);
  const cpu = (/** @type {string} */ name) => (slices.get(name) ?? []).map(({ cpu, requests }) => cpu / requests);
  const [floor, floorCpu] = [rates("floor"), cpu("floor")];
  return new Map(
    Array.from(slices, ([name, all]) => [
      name,
      {
        rates: rates(name),
        ratios: rates(name).map((rate, repetition) => rate / floor[repetition]),
        cpu: cpu(name),
        cpuRatios: cpu(name).map((each, repetition) => floorCpu[repetition] / each),
        p50: quantile(all.map(({ latencies }) => quantile(latencies, 0.5)), 0.5),
        p99: quantile(all.map(({ latencies }) => quantile(latencies, 0.99)), 0.5),
      },
    ]),
  );
}

/**
 * @param {Subject} subject
 * @param {Work} work
 * @param {{ load: import("./load.mjs").LoadGenerator, seconds: number, codes: number }} options
 */
async function sliceOf(subject, work, { load, seconds, codes }) {
  const requests = work.prepare ? await work.prepare(codes) : work.requests;
  const before = cpuTime(subject.pid);
  const slice = await load.run({
    url: work.url ?? subject.url,
    requests: requests ?? [],
    status: 200,
    text: work.text,
    order: work.order,
    capture: work.capture,
    tokens: work.tokens?.(),
    seconds,
  });
  work.left?.(slice.captured);
  return { ...slice, cpu: cpuTime(subject.pid) - before };
}
