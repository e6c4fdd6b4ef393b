// @ts-check
// Lists of 100,000 users: every page is small and says what is there.
import assert from "node:assert/strict";
import { globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, test } from "node:test";
import { api, serve, serveReady } from "./support.js";

const MANY = 100_000;
/** Ids that no clock gives any more. */
const FIRST = 1_000_000;
/** A page of a hundred users: what the largest answer may have. */
const LARGEST = 300_000;

/** @param {number} index */
const name = (index) => `user${String(index).padStart(6, "0")}`;

describe(`${MANY} users`, () => {
  const persist = mkdtempSync(join(tmpdir(), "edgemint-many-"));
  /** @type {import("./support.js").Server} */
  let server;

  before(async () => {
    const empty = await serveReady({ persist });
    const port = Number(new URL(empty.url).port);
    const template = await api(empty, "/api/v1/users/", { username: "template", attributes: { department: 7 } });
    assert.equal(template.status, 201, template.text);
    await empty.stop();
    for (const file of globSync(join(persist, "**/*.sqlite"))) fill(file);
    server = await serve({ persist, port });
  });
  after(async () => {
    await server?.stop();
    rmSync(persist, { recursive: true, force: true });
  });

  /** @param {string} query */
  async function list(query) {
    const began = performance.now();
    const answer = await api(server, `/api/v1/users/?${query}`);
    if (process.env.TIMES) console.log(`${(performance.now() - began).toFixed(0).padStart(6)} ms  ${query}`);
    assert.equal(answer.status, 200, answer.text);
    assert.ok(answer.text.length < LARGEST, `${query}: ${answer.text.length} characters`);
    const { pagination, results } = answer.body;
    return { ...pagination, names: results.map((/** @type {any} */ user) => user.username) };
  }

  test("a page is found from either end and in the middle", async () => {
    const [first, last, middle] = [await list("page_size=100&search=user"), await list("page=1001&page_size=100"), await list("page=2500&page_size=20")];
    assert.deepEqual([first.count, first.names.length, first.names[0]], [MANY + 2, 100, name(0)]);
    assert.deepEqual([last.count, last.current, last.next], [MANY + 2, 1001, 0]);
    assert.deepEqual([middle.names.length, middle.start_index, middle.total_pages], [20, 49_981, 5001]);
    assert.deepEqual((await list("ordering=-pk&page_size=1")).names, ["template"]);
  });

  for (const [query, count, names] of /** @type {[string, number, string[]][]} */ ([
    ["ordering=username&page_size=2&page=2", MANY + 2, [name(0), name(1)]],
    ["ordering=-username&page_size=1", MANY + 2, [name(MANY - 1)]],
    ["ordering=-name&page_size=1", MANY + 2, [name(99_999)]],
    ["ordering=email&page=50000&page_size=2&is_active=true", MANY / 2 + 2, []],
    ["search=USER04217&page_size=1", 10, [name(42_170)]],
    ["search=nobody", 0, []],
    ["search=number%20777%25", 1, [name(777)]],
    ["username=user031415", 1, [name(31_415)]],
    ["email=user031416%40example.org", 1, [name(31_416)]],
    ["is_active=false&page_size=1", MANY / 2, [name(1)]],
    ["is_active=false&ordering=-username&page_size=1&search=user09999", 5, [name(99_999)]],
    ["pk=1000003", 1, [name(3)]],
  ])) {
    test(`is asked for ${query}`, async () => {
      if (count === MANY / 2 + 2) {
        assert.equal((await api(server, `/api/v1/users/?${query}`)).status, 404);
        return;
      }
      const found = await list(query);
      assert.deepEqual([found.count, found.names], [count, names]);
    });
  }

  test("one is changed, made and deleted among them as among few", async () => {
    const began = performance.now();
    const path = `/api/v1/users/${FIRST + 5}/`;
    assert.equal((await api(server, path, { name: "Changed" }, "PATCH")).body.name, "Changed");
    assert.equal((await api(server, "/api/v1/users/", { username: name(5) })).status, 409);
    assert.equal((await api(server, path, undefined, "DELETE")).status, 204);
    assert.equal((await api(server, "/api/v1/users/", { username: name(5) })).status, 201);
    if (process.env.TIMES) console.log(`${(performance.now() - began).toFixed(0).padStart(6)} ms  four changes`);
    assert.equal((await list("search=user000005")).count, 1);
  });
});

/**
 * Writes the users into the directory's database, as the Worker writes them.
 *
 * @param {string} file
 */
function fill(file) {
  const database = new DatabaseSync(file);
  try {
    const tables = database.prepare("SELECT name FROM sqlite_schema").all().map((row) => row.name);
    if (!tables.includes("records")) return;
    const { record } = /** @type {{ record: string }} */ (
      database.prepare("SELECT record FROM records WHERE collection = 'users' ORDER BY id DESC").get()
    );
    const template = JSON.parse(record);
    const put = database.prepare("INSERT INTO records (collection, id, record, words) VALUES ('users', ?, ?, ?)");
    const unique = database.prepare("INSERT INTO unique_values (collection, field, value, id) VALUES ('users', ?, ?, ?)");
    database.exec("BEGIN");
    for (let index = 0; index < MANY; index += 1) {
      const id = FIRST + index;
      const username = name(index);
      const fields = {
        ...template.fields,
        ...{ username, name: `Number ${index}%`, email: `${username}@example.org`, is_active: index % 2 === 0, _subject: `u_${username}` },
      };
      const words = Object.entries(fields)
        .filter(([field, value]) => typeof value === "string" && !field.startsWith("_"))
        .map(([, value]) => `${value.toLowerCase()}\n`);
      put.run(id, JSON.stringify({ ...template, id, fields }), words.join(""));
      unique.run("username", username, id);
      unique.run("subject", fields._subject, id);
    }
    database.exec("COMMIT");
  } finally {
    database.close();
  }
}
