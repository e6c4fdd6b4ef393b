// A deployment into a file and out of one. Either can be stopped at any time: called again, it goes on.
// @ts-check
import { appendFileSync, closeSync, createReadStream, existsSync, fstatSync, openSync, readFileSync, readSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { Refusal } from "../steps.mjs";
import { fresh, known } from "./secret.mjs";

/** @typedef {import("./api.mjs").Api} Api */

const VARIABLE = "EXPORT_PASSPHRASE";
/** Bytes of a batch: a request has 64 KiB. */
const BATCH_BYTES = 48 * 1024;
/** Lines of a batch: each role is told to every shard before it is acknowledged. */
const BATCH_LINES = 50;
/** Bytes in which a last line is found. */
const TAIL = 64 * 1024;

/** @param {Api} api @param {string} file */
export async function exportTo(api, file) {
  if (existsSync(file)) throw new Refusal(`${file} is there already: name another file, or move it away`);
  const part = `${file}.part`;
  const { passphrase, after } = existsSync(part) ? await goOn(api, part) : { passphrase: await fresh("passphrase", VARIABLE), after: "" };
  const progress = counter("exported");
  for (let next = after; ; ) {
    const { text } = await api.ask(`export${next && `?after=${encodeURIComponent(next)}`}`, { passphrase, again: true });
    const lines = text.trimEnd().split("\n");
    const end = JSON.parse(lines[lines.length - 1]);
    if (end.next === undefined && end.complete !== true) throw new Refusal(`${api.url} broke off: run the same command again, and it goes on`);
    appendFileSync(part, text, { mode: 0o600, flush: true });
    progress.add(lines.length - 2);
    if (end.complete) {
      renameSync(part, file);
      progress.end();
      console.log(`${file}: ${counted(end.counts)}`);
      return;
    }
    next = end.next;
  }
}

/** Where a file stopped; what came after the last whole page is cut off. @param {Api} api @param {string} part */
async function goOn(api, part) {
  const text = readFileSync(part, "utf8");
  const [first = ""] = text.split("\n", 1);
  let [whole, after] = [0, ""];
  for (const match of text.matchAll(/^\{"next":"([^"]+)".*\n/gm)) [whole, after] = [match.index + match[0].length, match[1]];
  truncateSync(part, Buffer.byteLength(text.slice(0, whole)));
  const passphrase = await known("passphrase", VARIABLE);
  // One file, one passphrase: nothing is imported by a first line alone.
  if (after !== "") await api.ask("import", { lines: first, passphrase, again: true });
  process.stderr.write(`  going on after ${after || "nothing"}\n`);
  return { passphrase, after };
}

/** @param {Api} api @param {string} file */
export async function importFrom(api, file) {
  const end = lastLine(file);
  if (end?.complete !== true) throw new Refusal(`${file} is not whole: run \`npm run admin -- export\` with its name again, and it goes on`);
  const note = `${file}.progress`;
  const passphrase = await known("passphrase", VARIABLE);
  const done = progressOf(note, api.url, end.sealed);
  const progress = counter("imported");
  if (done > 0) process.stderr.write(`  going on after line ${done}\n`);
  const sum = { imported: 0, skipped: 0 };
  /** @type {Record<string, number>} */
  const counts = {};
  /** @type {{ number: number, text: string }[]} */
  let batch = [];
  let [header, number, bytes] = ["", 0, 0];
  const flush = async () => {
    if (batch.length === 0) return;
    const lines = [header, ...batch.map(({ text }) => text)].join("\n");
    const { status, body } = await api.ask("import", { lines, passphrase, again: true, also: [409] });
    if (status === 409) throw conflicting(file, body, batch);
    sum.imported += body.imported;
    sum.skipped += body.skipped;
    progress.add(batch.length);
    writeFileSync(note, JSON.stringify({ url: api.url, export: end.sealed, line: batch[batch.length - 1].number }), { mode: 0o600 });
    [batch, bytes] = [[], 0];
  };
  for await (const text of createInterface({ input: createReadStream(file, "utf8"), crlfDelay: Infinity })) {
    number += 1;
    if (text.startsWith('{"edgemint_export":')) {
      await flush();
      header = text;
      continue;
    }
    const collection = /^\{"collection":"(\w+)"/.exec(text)?.[1];
    if (collection === undefined) continue;
    counts[collection] = (counts[collection] ?? 0) + 1;
    if (number <= done) continue;
    if (batch.length === BATCH_LINES || bytes + text.length > BATCH_BYTES) await flush();
    batch.push({ number, text });
    bytes += Buffer.byteLength(text);
  }
  await flush();
  progress.end();
  rmSync(note, { force: true });
  console.log(`${file}: ${sum.imported} imported, ${sum.skipped} were there already`);
  for (const [collection, count] of Object.entries(/** @type {Record<string, number>} */ (end.counts))) {
    if (count !== (counts[collection] ?? 0)) {
      console.error(`edgemint: the file has ${counts[collection] ?? 0} ${collection}, and there were ${count} when it ended: they changed meanwhile. Export anew and import that, too`);
    }
  }
}

/** @param {string} file @param {any} body @param {{ number: number }[]} batch */
function conflicting(file, body, batch) {
  if (!body.conflicts) return new Refusal(`${body.detail}; nothing of this batch was written`);
  const lines = body.conflicts.map((/** @type {any} */ { line, collection, id, field }) => {
    // The header is the first line of what was sent.
    return `  ${file}:${batch[line - 2]?.number}: ${collection} ${id}: another record here has this ${field}`;
  });
  const next = "Rename or delete one of the two, here or there, and import again: what is here already is passed over.";
  return new Refusal(`nothing of this batch was written:\n${lines.join("\n")}\n${next}`);
}

/** @param {string} file @returns {any} the last line; nothing if it is cut off */
function lastLine(file) {
  if (!existsSync(file)) throw new Refusal(`there is no file ${file}`);
  const handle = openSync(file, "r");
  try {
    const { size } = fstatSync(handle);
    const tail = Buffer.alloc(Math.min(size, TAIL));
    readSync(handle, tail, 0, tail.length, size - tail.length);
    const text = tail.toString("utf8");
    if (!text.endsWith("\n")) return undefined;
    return JSON.parse(text.trimEnd().split("\n").at(-1) ?? "");
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  } finally {
    closeSync(handle);
  }
}

/** How far an import of this file into this deployment came. @param {string} note @param {string} url @param {string} sealed */
function progressOf(note, url, sealed) {
  if (!existsSync(note)) return 0;
  try {
    const found = JSON.parse(readFileSync(note, "utf8"));
    return found.url === url && found.export === sealed ? Number(found.line) || 0 : 0;
  } catch {
    // Then from the beginning: what is there is passed over.
    return 0;
  }
}

/** @param {Record<string, number>} counts */
function counted(counts) {
  const some = Object.entries(counts).filter(([, count]) => count > 0);
  return some.map(([collection, count]) => `${count} ${collection.replace("_", " ")}`).join(", ");
}

/** Progress on standard error. @param {string} what */
function counter(what) {
  const live = Boolean(process.stderr.isTTY);
  let sum = 0;
  return {
    add: (/** @type {number} */ more) => {
      sum += more;
      process.stderr.write(live ? `\r\x1b[K  ${what}: ${sum} lines` : `  ${what}: ${sum} lines\n`);
    },
    end: () => void (live && process.stderr.write("\n")),
  };
}
