// `npm run bench`: Edgemint beside a floor of plain JavaScript and two peers, all on this machine and in one run.
//
//   --json FILE   also writes the figures there
//   --readme      also writes the table into the README
//   --quick       a minute and a half instead of nine: enough to see that it works
// @ts-check
import { parseArgs } from "node:util";
import { ourCosts, peerCosts, price } from "./bench/costs.mjs";
import { startFloor } from "./bench/floor.mjs";
import { coldAnswer, feedPolls, gzipSize, memory } from "./bench/footprint.mjs";
import { loadGenerator } from "./bench/load.mjs";
import { markdown, spelled, writeJson, writeReadme } from "./bench/report.mjs";
import { measure, ROWS, WRITING } from "./bench/rows.mjs";
import { median, quantile } from "./bench/statistics.mjs";
import { startSubjects } from "./bench/subjects.mjs";
import { build } from "./lib/modules.mjs";
import { Refusal, step } from "./lib/steps.mjs";

/**
 * @typedef {object} Options
 * @property {number} warmups slices that are not counted
 * @property {number} repetitions of every slice
 * @property {number} seconds of a slice
 * @property {number} people who have codes at the same time
 * @property {number} starts of workerd
 * @property {number} requests between the two looks at the memory
 * @property {number} polling seconds
 *
 * @typedef {import("./bench/report.mjs").Entry} Entry
 */

// Repetitions are even: in every second one the order is the other way round.
/** @type {Options} */
const FULL = { warmups: 2, repetitions: 10, seconds: 1, people: 64, starts: 5, requests: 100_000, polling: 15 };
/** @type {Options} */
const QUICK = { warmups: 2, repetitions: 3, seconds: 0.3, people: 16, starts: 2, requests: 10_000, polling: 10 };

/** @param {string[]} args */
export default async function main(args) {
  const { json, quick, readme } = options(args);
  await build();
  const entries = await bench(quick ? QUICK : FULL);
  const text = markdown(entries);
  console.log(text);
  if (json) writeJson(entries, json);
  if (readme) writeReadme(text);
}

/** @param {string[]} args */
function options(args) {
  try {
    return parseArgs({ args, options: { json: { type: "string" }, quick: { type: "boolean" }, readme: { type: "boolean" } } }).values;
  } catch (error) {
    throw new Refusal(`${/** @type {Error} */ (error).message}\nusage: npm run bench -- [--json FILE] [--readme] [--quick]`);
  }
}

/** @param {Options} options @returns {Promise<Entry[]>} */
export async function bench(options) {
  const load = loadGenerator();
  try {
    const { entries, recordings } = await rates(load, options);
    const floor = () => startFloor(recordings);
    return [...entries, ...(await storage(load)), ...(await footprint(load, floor, options))];
  } finally {
    await load.stop();
  }
}

/**
 * @param {import("./bench/load.mjs").LoadGenerator} load
 * @param {Options} options
 */
async function rates(load, { warmups, repetitions, seconds, people }) {
  const { subjects, recordings, stop } = await startSubjects({ load, people });
  /** @type {Entry[]} */
  const entries = [];
  try {
    for (const name of ROWS) {
      const measured = await step(name, () => measure(name, subjects, { load, warmups, repetitions, seconds }));
      entries.push(...rateEntries(name, measured));
    }
    return { entries, recordings };
  } finally {
    await stop();
  }
}

/**
 * @param {string} name
 * @param {Map<string, import("./bench/rows.mjs").Measured>} measured
 * @returns {Entry[]}
 */
function rateEntries(name, measured) {
  /** @type {Entry[]} */
  const entries = [];
  for (const [subject, { rates, ratios, cpu, cpuRatios, p50, p99 }] of measured) {
    entries.push({ name, subject, unit: "req/s", value: median(rates), ratio_to_floor: median(ratios), spread: quartiles(ratios) });
    if (!Number.isNaN(median(cpu))) {
      entries.push({ name: `${name}, CPU`, subject, unit: "µs", value: median(cpu), ratio_to_floor: median(cpuRatios), spread: quartiles(cpuRatios) });
    }
    if (WRITING.some((row) => name.startsWith(row))) {
      entries.push({ name: `${name}, p50`, subject, unit: "ms", value: p50, ratio_to_floor: null });
      entries.push({ name: `${name}, p99`, subject, unit: "ms", value: p99, ratio_to_floor: null });
    }
  }
  return entries;
}

/** @param {number[]} values @returns {[number, number]} */
function quartiles(values) {
  return [quantile(values, 0.25), quantile(values, 0.75)];
}

/** @param {import("./bench/load.mjs").LoadGenerator} load @returns {Promise<Entry[]>} */
async function storage(load) {
  const costs = await step("storage operations", async () => ({ edgemint: await ourCosts(), "workers-oauth-provider": await peerCosts(load) }));
  return Object.entries(costs).flatMap(([subject, flows]) =>
    Object.entries(flows).map(([flow, operations]) => ({
      name: `storage: ${flow}`,
      subject,
      unit: "USD per million",
      value: price(operations),
      ratio_to_floor: null,
      detail: spelled(operations),
    })),
  );
}

/**
 * @param {import("./bench/load.mjs").LoadGenerator} load
 * @param {() => Promise<import("./bench/rows.mjs").Subject>} floor
 * @param {Options} options
 * @returns {Promise<Entry[]>}
 */
async function footprint(load, floor, { starts, requests, polling }) {
  const cold = await step("cold answers", () => coldAnswer({ load, starts, startFloor: floor }));
  const held = await step("memory", () => memory({ load, requests, startFloor: floor }));
  const polls = await step("feed", () => feedPolls({ load, seconds: polling }));
  /** @param {string} name @param {string} subject @param {string} unit @param {number} value @returns {Entry} */
  const entry = (name, subject, unit, value) => ({ name, subject, unit, value, ratio_to_floor: null });
  return [
    ...Object.entries(cold).flatMap(([subject, { start, first }]) => [
      entry("start of workerd to first introspection", subject, "ms", start),
      entry("first introspection once it listens", subject, "ms", first),
    ]),
    ...Object.entries(held).flatMap(([subject, { before, after }]) => [
      entry("memory after the first introspections", subject, "MiB", before),
      entry(`memory after ${requests.toLocaleString("en")} more`, subject, "MiB", after),
    ]),
    entry("polls of the feed in a busy isolate", "edgemint", "a minute", polls),
    entry("size of the Worker's wasm", "edgemint", "B", gzipSize("edge")),
    entry("size of the wasm of its Durable Objects and management API", "edgemint", "B", gzipSize("objects")),
    entry("size of the browser's wasm", "edgemint", "B", gzipSize("browser")),
  ];
}
