// @ts-check
// OPS-1: secrets are in no log and in no storage. Everything the worker wrote is read byte by byte.
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
  ADMINISTRATOR,
  BOOTSTRAP_TOKEN,
  ROOT_SECRET,
  VERIFIER,
  api,
  ask,
  authorizeUrl,
  browser,
  code,
  exchange,
  introspect,
  refresh,
  register,
  revoke,
  serveReady,
} from "./support.js";

test("OPS-1, AC-8: after a full run no secret is in a log, in KV or in a Durable Object", async (t) => {
  const persist = mkdtempSync(join(tmpdir(), "edgemint-secrets-"));
  t.after(() => rmSync(persist, { recursive: true, force: true }));
  const server = await serveReady({ persist, bindings: { EDGEMINT_LOG: "all" } });
  /** @type {Record<string, string>} */
  const secrets = {
    "the bootstrap token": BOOTSTRAP_TOKEN,
    "the root secret": ROOT_SECRET,
    "the secret of a local run": server.bindings.LOCAL_RUN_SECRET,
    "the password": ADMINISTRATOR.password,
    "the code verifier": VERIFIER,
  };
  const note = (/** @type {string} */ name, /** @type {string | undefined} */ value) => {
    assert.ok(value, name);
    secrets[name] = value;
  };

  for (const format of ["sealed", "jwt"]) {
    const visitor = browser(server);
    const client = await register(server, { access_token_format: format, implicit_consent: false, token_endpoint_auth_method: "client_secret_post" });
    note(`the client's secret, ${format}`, client.client_secret);
    const unused = await code(server, visitor, client);
    note(`a code that was not used, ${format}`, unused);
    const spent = await code(server, visitor, client);
    note(`a code that was used, ${format}`, spent);
    const { body } = await exchange(server, client, spent);
    const { body: renewed } = await refresh(server, client, body.refresh_token);
    for (const [name, tokens] of Object.entries({ first: body, renewed })) {
      note(`the ${name} access token, ${format}`, tokens.access_token);
      note(`the ${name} refresh token, ${format}`, tokens.refresh_token);
      note(`the ${name} ID token, ${format}`, tokens.id_token);
    }
    await introspect(server, client, body.access_token);
    await fetch(`${server.url}/oauth/userinfo`, { headers: { authorization: `Bearer ${body.access_token}` } });
    await revoke(server, client, body.access_token);
    await revoke(server, client, renewed.refresh_token);
    note(`the session, ${format}`, visitor.cookies.get("edgemint-session"));
    note(`the browser's own value, ${format}`, visitor.cookies.get("edgemint-browser"));
    // And where requests fail, because logs tend to be generous then.
    const typed = `mistyped-password-${format}`;
    note(`a mistyped password, ${format}`, typed);
    await browser(server).walk(authorizeUrl(server, client), { password: typed });
    const guessed = `guessed-secret-${format}`;
    note(`a guessed secret, ${format}`, guessed);
    await ask(server, "/oauth/token", { ...client, client_secret: guessed }, { grant_type: "client_credentials" });
    await exchange(server, client, unused, { code_verifier: `${VERIFIER}wrong` });
    await fetch(`${server.url}/oauth/token?client_secret=${guessed}&code=${unused}`, { method: "POST" });
    await fetch(`${server.url}/oauth/userinfo?access_token=${body.access_token}`);
    await fetch(`${server.url}/nothing?token=${body.access_token}`);
    await api(server, "/api/v1/accounts/", { username: "x", password: guessed, first_name: 7 });
  }
  await api(server, "/api/v1/keys/rotate", {});
  const { d, ...publicHalf } = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  note("the private part of an imported key", d);
  for (const half of [d, d?.slice(1)]) await api(server, "/api/v1/keys/", { alg: "EdDSA", private_jwk: { ...publicHalf, d: half } });
  await server.stop();

  for (const line of server.lines) assert.match(JSON.parse(line).request_id, /^[0-9a-f-]{36}$/, line);
  const sinks = files(persist).map((path) => ({ name: path, bytes: readFileSync(path) }));
  assert.ok(sinks.some(({ name }) => name.endsWith(".sqlite")) && sinks.some(({ name }) => name.includes("blobs")), "nothing was stored");
  assert.ok(server.lines.length > 40, "nothing was logged");
  sinks.push({ name: "the log", bytes: Buffer.from(server.lines.join("\n")) });
  for (const { name: sink, bytes } of sinks) {
    for (const [name, secret] of Object.entries(secrets)) {
      for (const form of forms(secret)) assert.equal(bytes.includes(form), false, `${name} is in ${sink}`);
    }
  }
  // That this looks where things are.
  const everything = Buffer.concat(sinks.map(({ bytes }) => bytes));
  for (const known of [ADMINISTRATOR.username, "wrong_credentials", "verifier_mismatch", "$argon2id$"]) {
    assert.ok(everything.includes(known), known);
  }
});

/** @param {string} directory @returns {string[]} */
function files(directory) {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/**
 * How a secret may have been written: whole, the part of it that nobody can guess, and encoded.
 *
 * @param {string} secret
 */
function forms(secret) {
  const encoded = Buffer.from(secret);
  const middle = secret.length > 80 ? secret.slice(-40) : secret;
  return new Set([secret, middle, encoded.toString("base64url"), encoded.toString("base64"), encoded.toString("hex"), encodeURIComponent(secret)]);
}
