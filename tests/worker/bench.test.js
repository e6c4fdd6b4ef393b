// @ts-check
// The benchmarks still measure what they say. How much it is, a test cannot say.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { bench } from "../../scripts/bench.mjs";
import { loadGenerator, request } from "../../scripts/bench/load.mjs";
import { markdown, TARGETS, writeJson } from "../../scripts/bench/report.mjs";
import { ROWS, WRITING } from "../../scripts/bench/rows.mjs";
import { serve } from "./support.js";

describe("the benchmarks, cut short", () => {
  /** @type {import("../../scripts/bench/report.mjs").Entry[]} */
  let entries;

  before(async () => {
    entries = await bench({ warmups: 0, repetitions: 1, seconds: 0.1, people: 2, starts: 1, requests: 100, polling: 0.2 });
  });

  /** @param {string} subject */
  const namesOf = (subject) => new Set(entries.filter((entry) => entry.subject === subject).map(({ name }) => name));

  test("every row is measured, for us and for the floor", () => {
    for (const row of ROWS) {
      assert.ok(namesOf("edgemint").has(row), row);
      assert.ok(namesOf("floor").has(row), row);
    }
  });

  test("every target has a figure", () => {
    for (const name of Object.keys(TARGETS)) assert.ok(namesOf("edgemint").has(name), name);
  });

  test("the peers are measured in what they have", () => {
    for (const row of ["validation", ...WRITING, "storage: sign-in"]) assert.ok(namesOf("workers-oauth-provider").has(row), row);
    for (const row of ["introspection", "client_credentials", ...WRITING, "userinfo", "JWKS"]) {
      assert.ok(namesOf("oidc-provider").has(row), row);
    }
  });

  test("figures are numbers, and rates have a ratio to the floor", () => {
    for (const { name, subject, unit, value, ratio_to_floor } of entries) {
      assert.ok(Number.isFinite(value) && value >= 0, `${name}, ${subject}: ${value}`);
      if (unit === "req/s") assert.ok(Number(ratio_to_floor) > 0, `${name}, ${subject}: ${ratio_to_floor}`);
    }
  });

  test("the table names every row, the file has the five fields", () => {
    const table = markdown(entries);
    for (const { name } of entries) assert.ok(table.includes(`| ${name.replace(/^storage: |, CPU$/, "")} |`), name);
    const directory = mkdtempSync(join(tmpdir(), "edgemint-bench-"));
    try {
      writeJson(entries, join(directory, "bench.json"));
      const list = JSON.parse(readFileSync(join(directory, "bench.json"), "utf8"));
      assert.equal(list.length, entries.length);
      for (const entry of list) assert.deepEqual(Object.keys(entry), ["name", "subject", "unit", "value", "ratio_to_floor"]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

test("an answer that was not expected ends a benchmark, and is shown", async () => {
  const load = loadGenerator();
  const server = await serve();
  try {
    const { url } = server;
    const ask = { url, requests: [request(`${url}/nothing`)], status: 200, text: "", count: 1 };
    await assert.rejects(load.run(ask), /expected 200 .*404 Not Found[^]*not_found/s);
    await assert.rejects(load.run({ ...ask, status: 404, text: "another" }), /another[^]*not_found/);
    assert.equal((await load.run({ ...ask, status: 404 })).requests, 1);
  } finally {
    await server.stop();
    await load.stop();
  }
});
