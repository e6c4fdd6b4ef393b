// The entries as JSON, and as the table that the README shows.
// @ts-check
import { closeSync, fsyncSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { Refusal, root } from "../lib/steps.mjs";
import { PRICES } from "./costs.mjs";
import { MINIFLARE } from "./rows.mjs";
import { median } from "./statistics.mjs";

/**
 * @typedef {object} Entry
 * @property {string} name of the row
 * @property {string} subject
 * @property {string} unit
 * @property {number} value
 * @property {number | null} ratio_to_floor
 * @property {[number, number]} [spread] of the ratio, or of the value where there is none: the quartiles
 * @property {string} [detail]
 *
 * @typedef {{ target: string, met: (ours: Entry) => boolean }} Target
 */

/** @param {number} least @returns {Target} */
const ratio = (least) => ({ target: `ratio ≥ ${least.toFixed(2)}`, met: ({ ratio_to_floor }) => (ratio_to_floor ?? 0) >= least });
/** @param {number} most @param {string} unit @returns {Target} */
const atMost = (most, unit) => ({ target: `≤ ${most.toLocaleString("en")} ${unit}`, met: ({ value }) => value <= most });
/** @param {string} operations @returns {Target} */
const costs = (operations) => ({ target: operations, met: ({ detail }) => withoutRows(detail ?? "") === operations });

/** @type {Record<string, Target>} */
export const TARGETS = {
  introspection: ratio(0.9),
  [`introspection${MINIFLARE}`]: ratio(0.9),
  validation: ratio(0.9),
  [`validation${MINIFLARE}`]: ratio(0.9),
  subrequest: ratio(0.9),
  "subrequest, a service's own token": ratio(0.9),
  client_credentials: ratio(0.6),
  [`client_credentials${MINIFLARE}`]: ratio(0.6),
  "code exchange": { target: "≥ 800/s", met: ({ value }) => value >= 800 },
  "code exchange, p99": atMost(60, "ms"),
  "storage: introspection": costs("none"),
  "storage: validation": costs("none"),
  "storage: subrequest": costs("none"),
  "storage: subrequest, a service's own token": costs("none"),
  "storage: sign-in": costs("1 KV put, 1 object call"),
  "storage: sign-in, consent remembered": costs("1 KV put, 2 object call"),
  "storage: refresh": costs("1 object call"),
  "size of the Worker's wasm": atMost(400_000, "B"),
  "size of the browser's wasm": atMost(60_000, "B"),
};

/** @param {Record<string, number>} operations */
export function spelled(operations) {
  const counted = Object.keys(PRICES).filter((name) => operations[name]);
  return counted.map((name) => `${operations[name]} ${name}`).join(", ") || "none";
}

/** @param {string} operations */
function withoutRows(operations) {
  return operations.split(", ").filter((part) => !/ row /.test(part)).join(", ") || "none";
}

/** @param {Entry[]} entries @param {string} path */
export function writeJson(entries, path) {
  const list = entries.map(({ name, subject, unit, value, ratio_to_floor }) => ({ name, subject, unit, value, ratio_to_floor }));
  writeFileSync(path, `${JSON.stringify(list, null, 2)}\n`);
}

/**
 * @param {Entry[]} entries
 * @returns {string}
 */
export function markdown(entries) {
  const rates = entries.filter(({ unit }) => unit === "req/s");
  const storage = entries.filter(({ name }) => name.startsWith("storage: "));
  const cpu = entries.filter(({ name }) => name.endsWith(CPU));
  const rest = entries.filter((entry) => ![...rates, ...cpu, ...storage].includes(entry));
  return [
    machine(),
    table(["requests a second", ...COLUMNS, "target"], grouped(rates).map((row) => [...compared(row), target(...row)])),
    table(["CPU a request, µs", ...COLUMNS], grouped(cpu).map(([name, of]) => compared([name.slice(0, -CPU.length), of]))),
    table(
      ["storage and its price per million", "edgemint", "workers-oauth-provider", "target"],
      grouped(storage).map(([name, of]) => [name.slice("storage: ".length), cost(of.edgemint), cost(of["workers-oauth-provider"]), target(name, of)]),
    ),
    table(["and", ...COLUMNS, "target"], grouped(rest).map(([name, of]) => [name, ...COLUMNS.map((subject) => plain(of[subject])), target(name, of)])),
  ].join("\n\n");
}

const CPU = ", CPU";
const COLUMNS = ["edgemint", "floor", "workers-oauth-provider", "oidc-provider"];

/** @param {[string, Record<string, Entry>]} row */
function compared([name, of]) {
  const cells = COLUMNS.map((subject) => {
    const entry = of[subject];
    if (!entry) return "–";
    const { value, ratio_to_floor, spread } = entry;
    const quartiles = spread?.map((each) => each.toFixed(2)).join("–");
    return subject === "floor" ? whole(value) : `${whole(value)}; **${ratio_to_floor?.toFixed(2)}** (${quartiles})`;
  });
  return [name, ...cells];
}

/** @param {Entry | undefined} entry */
function cost(entry) {
  return entry ? `${entry.detail}; $${entry.value.toFixed(2)}` : "–";
}

/** @param {Entry | undefined} entry */
function plain(entry) {
  if (!entry) return "–";
  return `${entry.value >= 100 ? whole(entry.value) : entry.value.toFixed(1)} ${entry.unit}`;
}

/** @param {string} name @param {Record<string, Entry>} of */
function target(name, of) {
  const set = TARGETS[name];
  return set && of.edgemint ? `${set.target}: ${set.met(of.edgemint) ? "met" : "**not met**"}` : "";
}

/** @param {Entry[]} entries @returns {[string, Record<string, Entry>][]} */
function grouped(entries) {
  /** @type {Map<string, Record<string, Entry>>} */
  const groups = new Map();
  for (const entry of entries) groups.set(entry.name, { ...groups.get(entry.name), [entry.subject]: entry });
  return [...groups];
}

/** @param {string[]} head @param {string[][]} lines */
function table(head, lines) {
  return [head, head.map(() => "---"), ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** @param {number} value */
function whole(value) {
  return Math.round(value).toLocaleString("en");
}

function machine() {
  const [{ model }] = cpus();
  const { version } = JSON.parse(readFileSync(join(root, "node_modules/workerd/package.json"), "utf8"));
  const day = new Date().toISOString().slice(0, 10);
  const cores = `${cpus().length} cores, ${model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB`;
  return `${day}; ${cores}; a small write reaches the disk in ${diskDelay().toFixed(1)} ms; workerd ${version}.`;
}

/** What a commit waits for: the disk decides how many there are in a second. @returns {number} milliseconds */
function diskDelay() {
  const folder = mkdtempSync(join(tmpdir(), "edgemint-bench-"));
  const file = openSync(join(folder, "write"), "w");
  try {
    const times = Array.from({ length: 51 }, () => {
      const begun = performance.now();
      writeSync(file, Buffer.alloc(4096));
      fsyncSync(file);
      return performance.now() - begun;
    });
    return median(times);
  } finally {
    closeSync(file);
    rmSync(folder, { recursive: true });
  }
}

const MARKER = "<!-- bench -->";

/** @param {string} text between the two markers of the README */
export function writeReadme(text) {
  const path = join(root, "README.md");
  const [before, , after, more] = readFileSync(path, "utf8").split(MARKER);
  if (after === undefined || more !== undefined) throw new Refusal(`README.md has not two lines ${MARKER}`);
  writeFileSync(path, `${before}${MARKER}\n${text}\n${MARKER}${after}`);
}
