// @ts-check
// Databases of an earlier number, opened by this code: nobody is lost, and what is new is there.
import assert from "node:assert/strict";
import { globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { ADMINISTRATOR, api, authorizeUrl, browser, exchange, introspect, ofOwn, register, serve, serveReady } from "./support.js";

/** What takes the later numbers away again, from whichever kind of object has them. */
const BACK_TO_1 = {
  records: [
    ...["records", "unique_values", "links", "audit"].map((table) => `DROP TABLE ${table}`),
    "DELETE FROM settings WHERE name = 'last_number'",
  ],
  roles: [
    "DROP TABLE roles",
    "DROP TABLE audit",
    ...["tokens", "token_history", "devices", "participants", "notices"].map((table) => `DROP TABLE ${table}`),
    "ALTER TABLE subjects DROP COLUMN direct",
    "DROP INDEX sessions_by_subject",
    ...["created_at", "user_agent", "address"].map((name) => `ALTER TABLE sessions DROP COLUMN ${name}`),
    "ALTER TABLE grants DROP COLUMN created_at",
  ],
  logouts: ["DROP TABLE logouts", "DROP TABLE sources"],
};

test("a database of number 1 is brought to the newest, with all that is in it", async () => {
  const persist = mkdtempSync(join(tmpdir(), "edgemint-migrations-"));
  try {
    const earlier = await serveReady({ persist });
    const port = Number(new URL(earlier.url).port);
    const client = await register(earlier);
    const visitor = browser(earlier);
    const before = await tokens(earlier, client, visitor);
    await earlier.stop();

    const taken = globSync(join(persist, "**/*.sqlite")).flatMap(backTo1);
    assert.ok(taken.includes("records") && taken.includes("roles"), taken.join(", "));

    const server = await serve({ persist, port });
    try {
      assert.equal((await introspect(server, client, before.access_token)).body.active, true);
      const { body } = await ofOwn(server, visitor, "GET", "/api/v1/users/me/sessions");
      assert.deepEqual(body.results.map((/** @type {any} */ row) => [row.created_at, row.user_agent, row.current]), [[null, null, true]]);
      assert.equal((await ofOwn(server, visitor, "GET", "/api/v1/users/me/grants")).body.results[0].created_at, null);
      assert.ok((await tokens(server, client)).access_token);
      const scope = await api(server, "/api/v1/scopes/", { name: "Reports", value: "reports" });
      assert.equal(scope.status, 201, scope.text);
      const role = await api(server, "/api/v1/roles/", { name: "Reader", scopes: "reports" });
      assert.equal(role.status, 201, role.text);
      const users = await api(server, "/api/v1/users/?search=ADMIN");
      assert.equal(users.body.results[0].username, ADMINISTRATOR.username, users.text);
      const provider = (await api(server, `/api/v1/providers/oauth2/?client_id=${client.client_id}`)).body.results[0];
      assert.equal(provider.name, client.client_name ?? provider.name);
      assert.equal((await api(server, `/api/v1/users/${users.body.results[0].pk}/`, undefined, "DELETE")).status, 409);
    } finally {
      await server.stop();
    }
  } finally {
    rmSync(persist, { recursive: true, force: true });
  }
});

/**
 * @param {string} file
 * @returns {string[]} the tables of later numbers that it had
 */
function backTo1(file) {
  const database = new DatabaseSync(file);
  try {
    const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all().map(({ name }) => name);
    const taken = Object.keys(BACK_TO_1).filter((table) => tables.includes(table));
    if (taken.includes("records")) asBefore(database);
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
 * Puts users and providers back into the tables in which number 1 had them.
 *
 * @param {DatabaseSync} database
 */
function asBefore(database) {
  const rows = database.prepare("SELECT collection, record FROM records").all();
  for (const { collection, record } of rows) {
    const { version, generation, fields } = JSON.parse(String(record));
    if (collection === "users") {
      const { _subject: subject, username, _shard: shard, is_active: active, scopes: scope } = fields;
      const profile = { given_name: fields.first_name, updated_at: 7 };
      const facts = JSON.stringify({ subject, username, shard, active, generation, version, scope, profile });
      database
        .prepare("INSERT INTO accounts (subject, username, facts, password_hash, created_by) VALUES (?, ?, ?, ?, 'before')")
        .run(subject, username, facts, fields._password);
    }
    if (collection === "providers") {
      const client = {
        ...{ id: fields.client_id, version, generation, enabled: true, name: fields.name },
        authentication: fields.client_type === "public" ? "none" : fields.token_endpoint_auth_method,
        secrets: fields._secrets.map((/** @type {{ digest: string }} */ { digest }) => digest),
        ...{ redirect_uris: fields.redirect_uris.split("\n"), grant_types: fields.grant_types, scope: fields.scope },
        ...{ access_token_lifetime: 3600, signing: "ES256", implicit_consent: true },
      };
      database
        .prepare("INSERT INTO clients (client, version, state, request) VALUES (?, ?, ?, 'before')")
        .run(client.id, version, JSON.stringify(client));
    }
  }
}

/**
 * @param {import("./support.js").Server} server
 * @param {import("./support.js").Client} client
 */
async function tokens(server, client, visitor = browser(server)) {
  const { location } = await visitor.walk(authorizeUrl(server, client), ADMINISTRATOR);
  return (await exchange(server, client, location?.searchParams.get("code") ?? "")).body;
}
