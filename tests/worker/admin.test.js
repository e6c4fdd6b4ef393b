// @ts-check
// `npm run admin`, as it is typed: against a running worker, and from one deployment into another.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createLocalJWKSet, jwtVerify } from "jose";
import { root } from "../../scripts/lib/steps.mjs";
import { ADMINISTRATOR, BOOTSTRAP_TOKEN, api, ask, authorizeUrl, browser, exchange, introspect, read, register, serve, serveReady } from "./support.js";

const PASSPHRASE = "passphrase-canary of the tests";
const PASSWORD = "correct horse battery";

/** @param {import("./support.js").Server} server @param {string[]} args @param {Record<string, string>} [env] @param {string} [typed] */
function admin(server, args, env = {}, typed = "") {
  return command([...args, "--url", server.url], { BOOTSTRAP_TOKEN, EXPORT_PASSPHRASE: PASSPHRASE, ...env }, typed);
}

/** @param {string[]} args @param {Record<string, string>} env @param {string} [typed] @returns {Promise<{ code: number | null, out: string, err: string }>} */
function command(args, env, typed = "") {
  const child = spawn(process.execPath, ["scripts/run.mjs", "admin", ...args], { cwd: root, env: { ...process.env, ...env } });
  child.stdin.end(typed);
  const told = { out: "", err: "" };
  child.stdout.setEncoding("utf8").on("data", (chunk) => (told.out += chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk) => (told.err += chunk));
  return new Promise((done) => child.once("close", (code) => done({ code, ...told })));
}

/** @param {{ code: number | null, out: string, err: string }} ran */
function done(ran) {
  assert.equal(ran.code, 0, ran.err + ran.out);
  return ran.out;
}

/** @param {import("node:test").TestContext} t */
function folder(t) {
  const path = mkdtempSync(join(tmpdir(), "edgemint-admin-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** @param {{ url: string }} server @param {any} client @param {{ username: string, password: string }} person */
async function tokens(server, client, person) {
  const { location, last } = await browser(server).walk(authorizeUrl(server, client), person);
  const { status, body, text } = await exchange(server, client, location?.searchParams.get("code") ?? last.text.slice(0, 300));
  assert.equal(status, 200, text);
  return body;
}

describe("admin", () => {
  /** @type {import("./support.js").Server} */
  let server;
  before(async () => (server = await serveReady()));
  after(() => server.stop());

  test("help needs no token, and what is not understood exits with 2", async () => {
    const none = { ADMIN_TOKEN: "", BOOTSTRAP_TOKEN: "", STATE_DIR: "/nonexistent" };
    for (const args of [[], ["help"], ["users", "--help"]]) assert.match(done(await command(args, none)), /users create USERNAME/);
    for (const args of [["nothing"], ["users"], ["users", "create"], ["users", "list", "x"], ["epoch", "--force"]]) {
      const { code, err } = await admin(server, args);
      assert.deepEqual([code, /npm run admin/.test(err)], [2, true], err);
    }
    const { code, err } = await command(["users", "list"], none);
    assert.deepEqual([code, /set ADMIN_TOKEN/.test(err)], [1, true], err);
  });

  test("every failure says what to do", async () => {
    const wrong = await admin(server, ["users", "list"], { BOOTSTRAP_TOKEN: "x".repeat(32) });
    assert.deepEqual([wrong.code, /401.*set ADMIN_TOKEN/.test(wrong.err)], [1, true], wrong.err);
    const away = await command(["users", "list", "--url", "http://127.0.0.1:9"], { BOOTSTRAP_TOKEN });
    assert.deepEqual([away.code, /does not answer.*start it/.test(away.err)], [1, true], away.err);
    const plain = await command(["users", "list", "--url", "http://id.example"], { BOOTSTRAP_TOKEN });
    assert.deepEqual([plain.code, /is not https/.test(plain.err)], [1, true], plain.err);
    const nobody = await admin(server, ["users", "disable", "nobody"]);
    assert.deepEqual([nobody.code, /no user nobody: see/.test(nobody.err)], [1, true], nobody.err);
  });

  test("users are made, given passwords, disabled and enabled", async () => {
    const client = await register(server);
    done(await admin(server, ["users", "create", "ada", "--name", "Ada", "--scopes", "user:token"], { NEW_PASSWORD: PASSWORD }));
    assert.match(done(await admin(server, ["users", "list"])), /\tada\tactive\tuser:token\t-/);
    const issued = await tokens(server, client, { username: "ada", password: PASSWORD });
    // By standard input, and never an argument.
    done(await admin(server, ["users", "password", "ada"], {}, "another long password\n"));
    assert.equal((await introspect(server, client, issued.access_token)).body.active, false);
    done(await admin(server, ["users", "disable", "ada"]));
    assert.match(done(await admin(server, ["users", "list", "--search", "ada"])), /disabled/);
    done(await admin(server, ["users", "enable", "ada"]));
    await tokens(server, client, { username: "ada", password: "another long password" });
    const made = done(await admin(server, ["users", "create", "bob"]));
    const [, password] = /** @type {RegExpExecArray} */ (/^password: (.*)$/m.exec(made));
    await tokens(server, client, { username: "bob", password });
    assert.match((await admin(server, ["users", "create", "bob"])).err, /409/);
  });

  test("clients are made, and get another secret", async () => {
    const out = done(await admin(server, ["clients", "create", "Nightly", "--id", "nightly", "--scope", "email"]));
    const [, secret] = /** @type {RegExpExecArray} */ (/^client_secret: (.*)$/m.exec(out));
    const added = done(await admin(server, ["clients", "secret", "nightly"]));
    const [, another] = /** @type {RegExpExecArray} */ (/^client_secret: (.*)$/m.exec(added));
    for (const client_secret of [secret, another]) {
      const client = { client_id: "nightly", client_secret, token_endpoint_auth_method: "client_secret_basic", redirect_uris: [] };
      assert.equal((await ask(server, "/oauth/token", client, { grant_type: "client_credentials" })).status, 200);
    }
    assert.match(done(await admin(server, ["clients", "list"])), /^nightly\tconfidential\tenabled\tclient_credentials\tNightly$/m);
    const spa = ["clients", "create", "Page", "--id", "page", "--public", "--redirect", "https://a.example/cb", "--redirect", "https://b.example/cb"];
    assert.doesNotMatch(done(await admin(server, spa)), /client_secret/);
  });

  test("keys are listed, made and rotated", async () => {
    assert.match(done(await admin(server, ["keys", "create", "EdDSA"])), /^key: [\w-]{43}$/m);
    assert.match(done(await admin(server, ["keys", "rotate"])), /\tES256\twaiting\t/);
    assert.match(done(await admin(server, ["keys", "list", "--json"])), /"kid":/);
  });

  test("the key of a resource is printed as it goes into a setting", async () => {
    const out = done(await admin(server, ["resource-key", "https://api.example/"]));
    const { issuer, resource, keys } = JSON.parse(out);
    assert.deepEqual([issuer, resource, keys.length, out.trim().split("\n").length], [server.url, "https://api.example/", 1, 1]);
    const { code, err } = await admin(server, ["resource-key", `${server.url}/api/v1`]);
    assert.deepEqual([code, /is our own, whose key nobody gets/.test(err)], [1, true], err);
  });

  test("an administrator is recovered, and one is made where there is none", async () => {
    const client = await register(server);
    for (const username of [ADMINISTRATOR.username, "rescue"]) {
      done(await admin(server, ["recover", username], { NEW_PASSWORD: PASSWORD }));
      const { scopes } = (await api(server, `/api/v1/users/?username=${username}`)).body.results[0];
      assert.ok(scopes.includes("admin:token"));
      await tokens(server, client, { username, password: PASSWORD });
    }
  });

  test("a raised epoch ends what was issued before, at once here and elsewhere within the bound", async () => {
    const client = await register(server);
    const issued = await tokens(server, client, { username: "rescue", password: PASSWORD });
    const unsure = await admin(server, ["epoch"]);
    assert.deepEqual([unsure.code, /--yes/.test(unsure.err)], [1, true]);
    assert.equal(done(await admin(server, ["epoch", "--yes"])), "epoch: 2\n");
    assert.equal((await introspect(server, client, issued.access_token)).body.active, false);
    await tokens(server, client, { username: "rescue", password: PASSWORD });
  });
});

test("a raised epoch holds at once where it was raised, and within the bound where nobody told of it", async (t) => {
  const server = await serveReady({ bindings: { REVOCATION_MAX_AGE: "1" } });
  t.after(() => server.stop());
  const client = await register(server);
  const issued = await tokens(server, client, ADMINISTRATOR);
  assert.equal((await introspect(server, client, issued.access_token)).body.active, true);
  assert.equal((await api(server, "/api/v1/epoch", {})).body.epoch, 2);
  assert.equal((await introspect(server, client, issued.access_token)).body.active, false);

  const later = await tokens(server, client, ADMINISTRATOR);
  const namespace = /** @type {any} */ (await server.mf.getDurableObjectNamespace("FEED"));
  const at = { request: "somebody-else", now: Date.now() };
  const feed = namespace.get(namespace.idFromName("feed"));
  assert.deepEqual(JSON.parse(await feed.call(JSON.stringify({ at, verb: { raise_epoch: {} } }))), { raise_epoch: 3 });
  await new Promise((done) => setTimeout(done, 1_000));
  assert.equal((await introspect(server, client, later.access_token)).body.active, false);
});

describe("a deployment in a file", () => {
  /** @type {import("./support.js").Server} */
  let source;
  /** @type {import("./support.js").Client} */
  let client;
  /** @type {any} */
  let issued;
  const people = 230;

  before(async () => {
    source = await serveReady({ bindings: { EDGEMINT_LOG: "all" } });
    client = await register(source);
    issued = await tokens(source, client, ADMINISTRATOR);
    // No passwords: each would cost a hash.
    for (let some = 0; some < people; some += 10) {
      await Promise.all(Array.from({ length: 10 }, (_, at) => api(source, "/api/v1/users/", { username: `person-${some + at}`, name: `Person ${some + at}` })));
    }
  });
  after(async () => {
    await source.stop();
    for (const line of source.lines) assert.equal(line.includes("passphrase-canary"), false, "the passphrase was logged");
  });

  test("moves to another issuer under other roots: passwords, secrets and keys are good there", async (t) => {
    const file = join(folder(t), "edgemint.ndjson");
    const out = done(await admin(source, ["export", file]));
    assert.match(out, new RegExp(`2 providers,.* ${people + 1} users`));
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.equal(existsSync(`${file}.part`), false);
    const text = readFileSync(file, "utf8");
    for (const secret of [client.client_secret ?? "", ADMINISTRATOR.password]) assert.equal(text.includes(secret), false);
    assert.match((await admin(source, ["export", file])).err, /is there already/);

    const target = await serve({ bindings: { ROOT_SECRETS: "another-root-of-another-deployment-32" }, shards: 3 });
    t.after(() => target.stop());
    const wrong = await admin(target, ["import", file], { EXPORT_PASSPHRASE: "not that passphrase" });
    assert.deepEqual([wrong.code, /400.*X-Export-Passphrase is not the passphrase/.test(wrong.err)], [1, true], wrong.err);

    assert.match(done(await admin(target, ["import", file])), / imported, 13 were there already/);
    const there = await tokens(target, client, ADMINISTRATOR);
    const keys = createLocalJWKSet((await read(await fetch(`${target.url}/.well-known/jwks.json`))).body);
    // The very key that signed there: only the issuer in it is another.
    const ours = await jwtVerify(issued.id_token, keys, { issuer: source.url, audience: client.client_id });
    const theirs = await jwtVerify(there.id_token, keys, { issuer: target.url, audience: client.client_id });
    assert.deepEqual([theirs.protectedHeader.kid, theirs.payload.sub], [ours.protectedHeader.kid, ours.payload.sub]);
    assert.equal((await introspect(target, client, issued.access_token)).body.active, false, "tokens stay where they are");
    assert.match(done(await admin(target, ["import", file])), / 0 imported/);
  });

  test("an export that was stopped goes on where it stopped", async (t) => {
    const file = join(folder(t), "edgemint.ndjson");
    const headers = { authorization: `Bearer ${BOOTSTRAP_TOKEN}`, "x-export-passphrase": PASSPHRASE };
    const page = await (await fetch(`${source.url}/api/v1/export?limit=40`, { headers })).text();
    writeFileSync(`${file}.part`, page + page.slice(0, 5_000));
    // Without the page that was cut off, and with its own first line.
    const other = await admin(source, ["export", file], { EXPORT_PASSPHRASE: "not that passphrase" });
    assert.deepEqual([other.code, /X-Export-Passphrase/.test(other.err)], [1, true], other.err);
    const ran = await admin(source, ["export", file]);
    done(ran);
    assert.match(ran.err, /going on after \w+:\d+/);
    const text = readFileSync(file, "utf8");
    assert.ok(text.startsWith(page));
    const lines = text.trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.equal(new Set(lines.filter((line) => line.collection === "users").map((line) => line.id)).size, people + 1);
  });

  test("an import that was stopped goes on where it stopped, and one that is cut off is not begun", async (t) => {
    const file = join(folder(t), "edgemint.ndjson");
    done(await admin(source, ["export", file]));
    const text = readFileSync(file, "utf8");
    const target = await serve({ bindings: { ROOT_SECRETS: "another-root-of-another-deployment-32" } });
    t.after(() => target.stop());

    writeFileSync(file, text.slice(0, -200));
    assert.match((await admin(target, ["import", file])).err, /is not whole: run/);

    // A line that was changed stops it in the middle.
    const lines = text.split("\n");
    const at = lines.findIndex((line) => line.includes('"person-150"'));
    writeFileSync(file, lines.with(at, lines[at].replace("Person 150", "Person 151")).join("\n"));
    const stopped = await admin(target, ["import", file]);
    assert.deepEqual([stopped.code, /line_\d+ is not a line of this export/.test(stopped.err)], [1, true], stopped.err);
    writeFileSync(file, text);
    const ran = await admin(target, ["import", file]);
    assert.match(done(ran), / 0 were there already/);
    assert.match(ran.err, /going on after line \d+/);
    assert.equal((await api(target, "/api/v1/users/")).body.pagination.count, people + 1);
    assert.equal(existsSync(`${file}.progress`), false);
  });

  test("who is here already under that name is a conflict, told by its line", async (t) => {
    const file = join(folder(t), "edgemint.ndjson");
    done(await admin(source, ["export", file]));
    const target = await serveReady({ bindings: { ROOT_SECRETS: "another-root-of-another-deployment-32" } });
    t.after(() => target.stop());
    const { code, err } = await admin(target, ["import", file]);
    const [, line] = /ndjson:(\d+): users \d+: another record here has this username/.exec(err) ?? [];
    assert.equal(code, 1, err);
    assert.match(readFileSync(file, "utf8").split("\n")[Number(line) - 1], /"username":"admin"/);
  });
});
