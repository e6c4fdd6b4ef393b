// @ts-check
// A new root secret in front of the old one: what is in KV is sealed anew, so that the old one can go.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT_SECRET, ask, read, register, serve, serveReady } from "./support.js";

const NEXT_ROOT = "next-root-0123456789abcdefghijklmnop";

test("a root that is put in front seals every published copy anew", async () => {
  const persist = mkdtempSync(join(tmpdir(), "edgemint-roots-"));
  try {
    const first = await serveReady({ persist });
    const client = await register(first, { grant_types: ["client_credentials"], redirect_uris: [], scope: "a" });
    await read(await fetch(`${first.url}/.well-known/jwks.json`));
    const names = [`client:${client.client_id}`, "keys:public"];
    const sealed = (/** @type {import("./support.js").Server} */ server) => copies(server, names, () => true);
    const before = await sealed(first);
    await first.stop();

    const { ISSUER } = first.bindings;
    const port = Number(new URL(ISSUER).port);
    const both = await serve({ persist, port, bindings: { ISSUER, ROOT_SECRETS: `${NEXT_ROOT},${ROOT_SECRET}` } });
    // The directory wakes with the first question that only it can answer.
    await ask(both, "/oauth/token", { ...client, client_id: "nobody" }, { grant_type: "client_credentials" });
    const after = await copies(both, names, (value, index) => value !== before[index]);
    assert.equal(new Set([...before, ...after]).size, 4);
    await both.stop();

    const next = await serve({ persist, port, bindings: { ISSUER, ROOT_SECRETS: NEXT_ROOT } });
    assert.equal((await ask(next, "/oauth/token", client, { grant_type: "client_credentials" })).status, 200);
    await next.stop();
  } finally {
    rmSync(persist, { recursive: true, force: true });
  }
});

/**
 * The values of these keys, as soon as each is as wanted: they are written behind an answer.
 *
 * @param {import("./support.js").Server} server
 * @param {string[]} names
 * @param {(value: string, index: number) => boolean} wanted
 * @returns {Promise<string[]>}
 */
async function copies(server, names, wanted) {
  const kv = await server.mf.getKVNamespace("KV");
  for (;;) {
    const values = await Promise.all(names.map((name) => kv.get(name)));
    const known = values.filter((value) => value !== null);
    if (known.length === names.length && known.every(wanted)) return known;
  }
}
