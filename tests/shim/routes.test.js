// @ts-check
// Who names a path or an endpoint: the shim's table, the core's, the metadata and the deployment. They agree.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { wranglerConfig } from "../../scripts/server.mjs";
import { root } from "../../scripts/lib/steps.mjs";
import { route, routes } from "../../src/routes.js";
import { serve } from "../worker/support.js";

const text = (/** @type {string} */ path) => readFileSync(join(root, path), "utf8");
/** The words that the shim answers by itself. */
const documents = Array.from(text("src/documents.js").matchAll(/^  ([a-z_]+): \((?:env)?\) => \[$/gm), ([, word]) => word);
const words = Object.values(routes).flatMap(({ methods }) => Object.values(methods));

test("every endpoint of the core and every document of the shim has a route, and every route one of them", () => {
  const table = /const ALL: \[\(&'static str, Self\); \d+\] = \[([^]*?)\];/.exec(text("src/server.rs"));
  assert.ok(table);
  const endpoints = Array.from(table[1].matchAll(/\("([a-z_]+)",/g), ([, word]) => word);
  assert.ok(endpoints.length > 0 && documents.length > 0);
  assert.deepEqual(Array.from(new Set(words)).sort(), [...endpoints, ...documents].sort());
});

test("AZ-10: what looks at a cookie is for no other origin", () => {
  const cookies = ["authorize", "login", "consent", "logout"];
  for (const [path, { cors, methods }] of Object.entries(routes)) {
    const given = Object.values(methods);
    // A document is the same for everybody; all else of the API may come to look at one.
    const ofApi = path.startsWith("/api/") && !given.every((word) => documents.includes(word));
    if (given.some((word) => cookies.includes(word)) || ofApi) assert.equal(cors, undefined, path);
  }
});

test("every path runs the worker before the demo's files", () => {
  const first = wranglerConfig().assets.run_worker_first;
  const runs = (/** @type {string} */ path) =>
    first.some((pattern) => (pattern.endsWith("*") ? path.startsWith(pattern.slice(0, -1)) : path === pattern));
  for (const path of Object.keys(routes)) assert.ok(runs(path), path);
  for (const path of ["/", "/callback", "/app.js", "/pkg/index.js", "/docs/viewer.js"]) assert.equal(runs(path), false, path);
});

test("CR-4: what is fetched on behalf of others never reaches the account's own hosts", () => {
  assert.ok(wranglerConfig().compatibility_flags.includes("global_fetch_strictly_public"));
});

test("every URL in the metadata is a route with a fitting method", async () => {
  const server = await serve({ bindings: { EDGEMINT_DANGER_OPEN_REGISTRATION: "1" } });
  try {
    /** @type {string[]} */
    const named = [];
    for (const path of ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource"]) {
      const metadata = /** @type {Record<string, unknown>} */ (await (await fetch(server.url + path)).json());
      for (const [name, value] of Object.entries(metadata)) {
        if (!/_(endpoint|uri)$/.test(name) || typeof value !== "string") continue;
        assert.ok(value.startsWith(`${server.url}/`), name);
        const found = route(new URL(value).pathname, "");
        assert.ok(found, `${name}: ${value}`);
        const posts = ["token_endpoint", "device_authorization_endpoint", "introspection_endpoint", "revocation_endpoint", "registration_endpoint"].includes(name);
        assert.ok(found.methods.has(posts ? "POST" : "GET"), name);
        named.push(name);
      }
    }
    assert.ok(new Set(named).size >= 7, named.join(", "));
  } finally {
    await server.stop();
  }
});

test("MD-1: under an issuer with a path, every route is below it, and the documents are before it too", () => {
  for (const path of Object.keys(routes)) {
    assert.deepEqual(Object.fromEntries(route(path, "")?.methods ?? []), routes[path].methods, path);
    assert.equal(route(`/tenant${path}`, "/tenant"), route(path, ""), path);
    if (!path.startsWith("/.well-known/")) assert.equal(route(path, "/tenant"), undefined, path);
  }
  for (const document of ["openid-configuration", "oauth-authorization-server"]) {
    const path = `/.well-known/${document}`;
    assert.equal(route(`${path}/tenant`, "/tenant"), route(path, ""));
    assert.equal(route(path, "/tenant"), undefined);
  }
  assert.equal(route("/tenant", "/tenant"), undefined);
  assert.equal(route("/tenantish/login", "/tenant"), undefined);
});

test("a path is a route only letter for letter", () => {
  for (const path of ["/login/", "//login", "/Login", "/oauth", "/oauth/token/", "/__proto__", "/constructor", "", "/oauth%2ftoken"]) {
    assert.equal(route(path, ""), undefined, path);
  }
});
