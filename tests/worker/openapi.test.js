// @ts-check
// The description of the management API beside the API: Schemathesis asks what it promises.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { root } from "../../scripts/lib/steps.mjs";
import { schemathesis } from "../../scripts/schemathesis.mjs";
import { routes } from "../../src/routes.js";
import { BOOTSTRAP_TOKEN, api, authorizeUrl, browser, exchange, ofOwn, read, register, serve, serveReady } from "./support.js";

/** Twice what a run takes here. */
const PATIENCE_MS = 400_000;

/** Export, import and the epoch move or end the whole deployment: `admin.test.js` asks them. */
const ELSEWHERE = 3;

describe("the API's description", () => {
  const folder = mkdtempSync(join(tmpdir(), "edgemint-openapi-"));
  /** @type {import("./support.js").Server} */
  let server;
  /** @type {any} */
  let description;

  before(async () => {
    server = await serveReady();
    description = (await read(await fetch(`${server.url}/api/v1/openapi.json`))).body;
  });
  after(async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test("is public, for pages of any origin, may be kept for a while, and names the issuer", async () => {
    for (const method of ["GET", "HEAD"]) {
      const { status, headers, text } = await read(await fetch(`${server.url}/api/v1/openapi.json`, { method }));
      assert.equal(status, 200);
      assert.equal(headers.get("content-type"), "application/json");
      assert.equal(headers.get("access-control-allow-origin"), "*");
      assert.match(headers.get("cache-control") ?? "", /^public, max-age=\d+$/);
      assert.match(headers.get("x-request-id") ?? "", /^[0-9a-f-]{36}$/);
      assert.equal(text === "", method === "HEAD");
    }
    assert.equal(description.openapi, "3.1.0");
    assert.deepEqual(description.servers.map((/** @type {any} */ { url }) => url), [server.url]);
  });

  test("has every path of the API that the shim knows", () => {
    const described = Object.keys(description.paths);
    for (const path of Object.keys(routes).filter((path) => path.startsWith("/api/"))) {
      const fits = (/** @type {string} */ known) => (path.endsWith("*") ? known.startsWith(path.slice(0, -1)) : known === path);
      assert.ok(described.some(fits), path);
    }
  });

  test("names an issuer that has a path, and is found below it", async () => {
    const below = await serve({ bindings: { ISSUER: "http://127.0.0.1/tenant" } });
    try {
      const { status, body } = await read(await fetch(`${below.url}/tenant/api/v1/openapi.json`));
      assert.deepEqual([status, body.servers[0].url], [200, "http://127.0.0.1/tenant"]);
      assert.equal((await fetch(`${below.url}/tenant/api/docs`)).status, 200);
    } finally {
      await below.stop();
    }
  });

  test("a page that is further behind than a store can count is not there", async () => {
    for (const page of ["2", "9007199254740993", "18446744073709551615"]) {
      const { status, body } = await api(server, `/api/v1/roles/?page=${page}&page_size=100`);
      assert.deepEqual([status, body.code], [404, "no_such_record"], page);
    }
  });

  test("what people have of their own is described as it is answered", async () => {
    // Schemathesis is nobody there: it comes with the bootstrap token.
    const visitor = browser(server);
    const client = await register(server, { implicit_consent: false });
    const { location } = await visitor.walk(authorizeUrl(server, client));
    assert.equal((await exchange(server, client, location?.searchParams.get("code") ?? "")).status, 200);
    const path = "/api/v1/users/{username}";
    for (const [asked, described] of [
      ["/api/v1/login", "/api/v1/login"],
      ["/api/v1/users/me/sessions", `${path}/sessions`],
      ["/api/v1/users/me/grants", `${path}/grants`],
      ["/api/v1/users/me/consents", `${path}/consents`],
    ]) {
      const { status, body } = await ofOwn(server, visitor, "GET", asked);
      assert.equal(status, 200, asked);
      const schema = description.paths[described].get.responses[200].content["application/json"].schema;
      assertFits(body, description.components.schemas[schema.$ref.split("/").at(-1)], asked);
    }
  });

  test("no 5xx, and no answer that is not described", async () => {
    // An answer may get more members one day; today it has those that are described and no others.
    const strict = join(folder, "openapi.json");
    writeFileSync(strict, JSON.stringify(closed(await narrowed())));
    const program = await schemathesis();
    const report = join(folder, "report.xml");
    const options = ["--url", server.url, "--header", `Authorization: Bearer ${BOOTSTRAP_TOKEN}`, "--no-color", "--report-junit-path", report];
    const configuration = join(root, "tests/worker/openapi/schemathesis.toml");
    const { code, output } = await call(program, ["--config-file", configuration, "run", strict, ...options]);
    assert.equal(code, 0, shortened(output));
    const [, tested] = /Tested: (\d+)/.exec(output) ?? [];
    const operations = Object.values(description.paths).flatMap((methods) => Object.keys(/** @type {object} */ (methods)));
    assert.equal(Number(tested), operations.length - ELSEWHERE, "an operation was passed over");
    assert.deepEqual(server.lines.filter((line) => /"level":"error"|Uncaught/.test(line)), []);
  });

  /**
   * Makes one record of each collection, as its example says, and narrows the description to them: ids at random
   * name nothing. They are not deleted; others are.
   */
  async function narrowed() {
    const narrow = structuredClone(description);
    /** @type {Record<string, unknown>} */
    const ids = {};
    for (const [path, { post }] of Object.entries(description.paths)) {
      if (post === undefined || description.paths[`${path}{id}/`] === undefined) continue;
      const fields = Object.entries(post.requestBody.content["application/json"].example).map(([name, value]) => {
        if (name === "username") return [name, `kept-${path.split("/")[3]}`];
        return [name, ["name", "slug", "value"].includes(name) ? `kept-${value}` : value];
      });
      const { status, body, text } = await api(server, path, Object.fromEntries(fields));
      assert.equal(status, 201, `${path}: ${text}`);
      ids[path] = body.pk ?? body.id;
    }
    assert.equal(Object.keys(ids).length, 10);
    for (const kind of ["access_tokens", "refresh_tokens"]) {
      const path = `/api/v1/oauth2/${kind}/`;
      ids[path] = (await api(server, path)).body.results[0].pk;
    }
    for (const [path, methods] of Object.entries(narrow.paths)) {
      const all = Object.keys(ids).find((all) => path.startsWith(`${all}{id}/`));
      for (const [method, { parameters = [] }] of Object.entries(/** @type {any} */ (methods))) {
        for (const parameter of all === undefined || method === "delete" ? [] : parameters) {
          if (parameter.name === "id") parameter.schema = { enum: [ids[String(all)]] };
          if (parameter.name === "for_user") parameter.schema = { enum: [ids["/api/v1/users/"]] };
        }
      }
    }
    return narrow;
  }

  /**
   * Runs in `folder`: what it leaves behind goes with that.
   *
   * @param {string} program
   * @param {string[]} args
   * @returns {Promise<{ code: number | null, output: string }>}
   */
  function call(program, args) {
    return new Promise((resolve, reject) => {
      const child = spawn(program, args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"], timeout: PATIENCE_MS });
      let output = "";
      for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
      child.on("error", reject).on("close", (code) => resolve({ code, output }));
    });
  }
});

/**
 * Whether a value has the members and the types that a schema lists, and no others.
 *
 * @param {any} value
 * @param {any} schema
 * @param {string} at
 */
function assertFits(value, schema, at) {
  const type = value === null ? "null" : Array.isArray(value) ? "array" : Number.isInteger(value) ? "integer" : typeof value;
  assert.ok([schema.type].flat().includes(type), `${at} is ${type}`);
  if (type === "array") {
    assert.ok(!at.endsWith(".results") || value.length > 0, `${at} is empty`);
    for (const item of value) assertFits(item, schema.items, `${at}[]`);
  } else if (type === "object") {
    assert.deepEqual(Object.keys(value).sort(), Object.keys(schema.properties).sort(), at);
    for (const [name, member] of Object.entries(value)) assertFits(member, schema.properties[name], `${at}.${name}`);
  }
}

/**
 * The same schemas, but whatever lists its members has no others.
 *
 * @param {any} value
 * @returns {any}
 */
function closed(value) {
  if (Array.isArray(value)) return value.map(closed);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.fromEntries(Object.entries(value).map(([name, member]) => [name, closed(member)]));
  const lists = value.type === "object" && value.properties !== undefined && value.additionalProperties === undefined;
  return lists ? { ...members, additionalProperties: false } : members;
}

/** @param {string} output whose longest lines are bodies of sixty kilobytes */
function shortened(output) {
  return output
    .split("\n")
    .map((line) => (line.length > 600 ? `${line.slice(0, 600)}…` : line))
    .join("\n");
}
