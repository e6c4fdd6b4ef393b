// @ts-check
// Databases of an earlier number, opened by this code: nobody is lost, and what is new is there.
import assert from "node:assert/strict";
import { globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { ADMINISTRATOR, api, authorizeUrl, browser, exchange, introspect, register, serve, serveReady } from "./support.js";

/** What takes number 2 away again, from whichever kind of object has it. */
const BACK_TO_1 = {
  records: ["DROP TABLE records", "DROP TABLE unique_values", "DROP TABLE audit", "DELETE FROM settings WHERE name = 'last_number'"],
  roles: ["DROP TABLE roles", "ALTER TABLE subjects DROP COLUMN direct"],
};

test("a database of number 1 is brought to the newest, with all that is in it", async () => {
  const persist = mkdtempSync(join(tmpdir(), "edgemint-migrations-"));
  try {
    const earlier = await serveReady({ persist });
    const port = Number(new URL(earlier.url).port);
    const client = await register(earlier);
    const before = await tokens(earlier, client);
    await earlier.stop();

    const taken = globSync(join(persist, "**/*.sqlite")).flatMap(backTo1);
    assert.ok(taken.includes("records") && taken.includes("roles"), taken.join(", "));

    const server = await serve({ persist, port });
    try {
      assert.equal((await introspect(server, client, before.access_token)).body.active, true);
      assert.ok((await tokens(server, client)).access_token);
      const scope = await api(server, "/api/v1/scopes/", { name: "Reports", value: "reports" });
      assert.equal(scope.status, 201, scope.text);
      const role = await api(server, "/api/v1/roles/", { name: "Reader", scopes: "reports" });
      assert.equal(role.status, 201, role.text);
    } finally {
      await server.stop();
    }
  } finally {
    rmSync(persist, { recursive: true, force: true });
  }
});

/**
 * @param {string} file
 * @returns {string[]} the tables of number 2 that it had
 */
function backTo1(file) {
  const database = new DatabaseSync(file);
  try {
    const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all().map(({ name }) => name);
    const taken = Object.keys(BACK_TO_1).filter((table) => tables.includes(table));
    for (const table of taken) {
      for (const statement of BACK_TO_1[/** @type {keyof typeof BACK_TO_1} */ (table)]) database.exec(statement);
      database.exec("UPDATE schema SET version = 1");
    }
    return taken;
  } finally {
    database.close();
  }
}

/**
 * @param {import("./support.js").Server} server
 * @param {import("./support.js").Client} client
 */
async function tokens(server, client) {
  const { location } = await browser(server).walk(authorizeUrl(server, client), ADMINISTRATOR);
  return (await exchange(server, client, location?.searchParams.get("code") ?? "")).body;
}
